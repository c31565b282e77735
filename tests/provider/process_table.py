"""The processes of one cluster, by name, recorded in its state directory."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.provider.errors import FailedError
from tests.provider.processes import Process, spawn, tail


@dataclass(frozen=True)
class ProcessTable:
    """One file per process under `<state>/processes`, one log under `<state>/logs`."""

    state: Path
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    def log(self, name: str) -> Path:
        """What the process has said."""
        return self.state / "logs" / f"{name}.log"

    def recorded(self) -> dict[str, Process]:
        """Every process ever started here, alive or not."""
        files = sorted((self.state / "processes").glob("*"))
        return {file.name: Process(*map(int, file.read_text().split())) for file in files}

    def alive(self, *names: str) -> bool:
        """Whether all of them run."""
        recorded = self.recorded()
        return all(name in recorded and recorded[name].alive for name in names)

    def ensure(self, name: str, argv: Sequence[str]) -> Process:
        """Start it, where it does not run."""
        if self.alive(name):
            return self.recorded()[name]
        self.log(name).unlink(missing_ok=True)
        process = spawn(argv, self.log(name), self.environment)
        record = self.state / "processes" / name
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(f"{process.pid} {process.start_ticks}\n")
        return process

    def wait(self, name: str, probe: Callable[[], bool], seconds: float) -> None:
        """Wait until `name` is ready; its death ends the waiting."""
        deadline = time.monotonic() + seconds
        while not probe():
            if not self.alive(name):
                raise FailedError(f"{name} has ended{tail(self.log(name))}")
            if time.monotonic() > deadline:
                raise FailedError(f"{name}: not ready in {seconds:g} s{tail(self.log(name))}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End all of them and forget them."""
        for name, process in self.recorded().items():
            process.kill()
            (self.state / "processes" / name).unlink(missing_ok=True)
