"""One measured figure and what it should be."""

import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from os import cpu_count, getloadavg
from typing import Any, Literal

LOAD = getloadavg()[0]
"""The machine's load before anything was measured; a busy machine's figures are not its best."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """A figure; `better` says on which side of `goal` it should lie."""

    name: str
    value: float
    unit: str
    goal: float
    better: Literal["lower", "higher"]

    @property
    def met(self) -> bool:
        """Whether the goal is reached."""
        return self.value <= self.goal if self.better == "lower" else self.value >= self.goal

    def record(self) -> dict[str, Any]:
        """As bench/results.json holds it."""
        return {
            "name": self.name,
            "value": round(self.value, 4),
            "unit": self.unit,
            "goal": self.goal,
            "met": self.met,
            "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": machine(),
        }


def machine() -> str:
    """What was measured on, and how busy it was; without a name or an address."""
    load = f"load {LOAD:.1f} before and {getloadavg()[0]:.1f} after"
    return f"{platform.system()} {platform.machine()}, {cpu_count()} CPUs, {load}"
