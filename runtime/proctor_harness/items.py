"""The item records: what the harness made of each sample, in one schema for all harnesses."""

from collections.abc import Iterable
from pathlib import Path

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


def write(path: Path, items: Iterable[Item]) -> None:
    """One JSON line an item; the file appears as a whole."""
    new = path.with_suffix(".new")
    with new.open("w", encoding="utf-8") as file:
        for item in items:
            file.write(item.model_dump_json(by_alias=True, exclude_defaults=True) + "\n")
    new.replace(path)
