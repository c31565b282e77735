"""The harnesses whose files tell what became of each sample."""

from collections.abc import Callable, Mapping
from pathlib import Path

from proctor_harness.harnesses import lm_eval_items
from proctor_harness.items import Item

READERS: Mapping[str, Callable[[Path], list[Item]]] = {"lm-eval": lm_eval_items.read}


def read(harness: str, output_dir: Path) -> list[Item]:
    """The item records of one repeat; none of a harness that tells of none."""
    reader = READERS.get(harness)
    return reader(output_dir) if reader else []
