"""``eval_factory_metrics.json``: what interceptors count, in NeMo Evaluator's file and sections."""

import json
from collections.abc import Callable
from pathlib import Path

from proctor_harness.adapter.content import JsonObject
from proctor_harness.adapter.disk import Disk

FIGURES_FILE = "eval_factory_metrics.json"

Section = Callable[[], JsonObject]


class Figures:
    """The file; sections that others wrote into it stay."""

    def __init__(self, artifacts: Path, disk: Disk) -> None:
        self._path = artifacts / FIGURES_FILE
        self._sections: dict[str, Section] = {}
        self._snapshot = disk.snapshot(self._path, self._render)

    def section(self, name: str, section: Section) -> None:
        """Declare a section."""
        self._sections[name] = section

    def touch(self) -> None:
        """Write the file at the next flush."""
        self._snapshot.touch()

    def _render(self) -> bytes:
        found = _read(self._path) | {name: section() for name, section in self._sections.items()}
        return json.dumps(found, indent=2).encode()


def _read(path: Path) -> JsonObject:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
