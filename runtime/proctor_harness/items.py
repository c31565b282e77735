"""The item records: what the harness made of each sample, in one schema for all harnesses."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from proctor_crds.base import Model

ITEMS_FILE = "items.jsonl"


class Item(Model):
    """One sample's one metric."""

    task: str
    sample: str
    """The sample within its task, by the harness's own number or name."""
    metric: str
    filter: str = "none"
    """The harness's name for how the answer was extracted."""
    value: float
    repeat: int = 0
    """Which asking of the sample it was."""
    group: str | None = None
    """What the sample has in common with others of its task: of several answers, the prompt."""
    error: bool = False
    """The target gave no answer, and the harness counts that as wrong."""
    extraction_failure: bool = False
    """In the answer there was nothing to judge."""

    @property
    def cluster(self) -> str:
        """Within the task, the samples that are not independent."""
        return self.sample if self.group is None else self.group


def named_by(prompt: Any) -> str:
    """A name for a sample that has none but what is asked: the same in every run."""
    return hashlib.sha256(json.dumps(prompt, sort_keys=True).encode()).hexdigest()[:12]


def write(path: Path, items: Iterable[Item]) -> None:
    """One JSON line an item; the file appears as a whole."""
    new = path.with_suffix(".new")
    with new.open("w", encoding="utf-8") as file:
        for item in items:
            file.write(item.model_dump_json(by_alias=True, exclude_defaults=True) + "\n")
    new.replace(path)
