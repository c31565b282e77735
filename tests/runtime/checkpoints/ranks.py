"""Running the ranks of a split model."""

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import torch


class Split(NamedTuple):
    """How a model is split over ranks."""

    tensor: int = 1
    pipeline: int = 1
    expert: int = 1

    @property
    def ranks(self) -> int:
        return max(self.tensor * self.pipeline, self.expert)


class Checkpoint(NamedTuple):
    """A checkpoint to load."""

    path: Path
    format: str


def run(split: Split, checkpoints: dict[str, Checkpoint], work: Path) -> dict[str, torch.Tensor]:
    """Load every checkpoint on ranks split like that; return the logits of each."""
    listed = {name: {"path": str(c.path), "format": c.format} for name, c in checkpoints.items()}
    plan = {
        **split._asdict(),
        "checkpoints": listed,
        "store": str(work / "store"),
        "out": str(work),
    }
    (work / "plan.json").write_text(json.dumps(plan))
    command = [sys.executable, "-m", "tests.runtime.checkpoints.rank", str(work / "plan.json")]
    ranks = [
        subprocess.Popen([*command, str(rank)], stderr=subprocess.PIPE, text=True)
        for rank in range(split.ranks)
    ]
    try:
        errors = [rank.communicate(timeout=300)[1] for rank in ranks]
    finally:
        for rank in ranks:
            rank.kill()
    codes = [rank.returncode for rank in ranks]
    assert codes == [0] * split.ranks, "\n".join(errors)
    return {name: torch.load(work / f"{name}.pt") for name in checkpoints}
