"""The harnesses whose files tell what became of each sample."""

from collections.abc import Callable, Mapping
from pathlib import Path

from proctor_harness.harnesses import (
    bfcl_report,
    bigcode_report,
    garak_report,
    lm_eval_items,
    safety_items,
    simple_evals_report,
)
from proctor_harness.items import Item

READERS: Mapping[str, Callable[[Path], list[Item]]] = {
    "lm-eval": lm_eval_items.read,
    "bfcl": bfcl_report.items,
    "simple-evals": simple_evals_report.items,
    "bigcode": bigcode_report.items,
    "garak": garak_report.items,
    "safety-harness": safety_items.read,
}


def read(harness: str, output_dir: Path) -> list[Item]:
    """The item records of one repeat; none of a harness that tells of none."""
    reader = READERS.get(harness)
    return reader(output_dir) if reader else []
