"""Megatron-LM's and NeMo 2's checkpoints, over every split, against transformers' own logits."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch

from proctor_runtime.checkpoints.formats import FORMATS
from tests.runtime.checkpoints.models import CONVERTED
from tests.runtime.checkpoints.ranks import Checkpoint, Split, run

LAYOUTS = {"megatron": "megatron", "nemo": "nemo", "split-gate": "megatron"}
"""Folders that the conversion writes, and their formats."""
SPLITS = {
    "one rank": Split(),
    "TP2": Split(tensor=2),
    "PP2": Split(pipeline=2),
    "EP2": Split(expert=2),
}

Computed = Callable[[Split], dict[str, torch.Tensor]]


def names(split: Split) -> list[str]:
    models = CONVERTED if split.expert == 1 else ("qwen3_moe",)
    return [f"{model} {layout}" for model in models for layout in LAYOUTS]


@pytest.fixture(scope="module")
def computed(converted: Path, tmp_path_factory: pytest.TempPathFactory) -> Computed:
    """The logits over each split; its ranks are started once."""

    @cache
    def over(split: Split) -> dict[str, torch.Tensor]:
        checkpoints = {}
        for name in names(split):
            model, layout = name.split()
            checkpoints[name] = Checkpoint(converted / model / layout, LAYOUTS[layout])
        return run(split, checkpoints, tmp_path_factory.mktemp("ranks"))

    return over


@pytest.mark.parametrize(
    ("split", "name"),
    [
        pytest.param(split, name, id=f"{name}, {label}")
        for label, split in SPLITS.items()
        for name in names(split)
    ],
)
def test_logits_are_those_of_transformers(
    converted: Path, computed: Computed, split: Split, name: str
) -> None:
    expected = torch.load(converted / f"{name.split(maxsplit=1)[0]}.pt")
    torch.testing.assert_close(computed(split)[name], expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("layout", ["hf", "megatron", "nemo"])
def test_a_digest_follows_the_bytes_that_are_served(converted: Path, layout: str) -> None:
    root = converted / "llama" / layout
    before = FORMATS[layout].digest(root)
    assert before == FORMATS[layout].digest(root)
    other = converted / "gpt2" / layout
    assert before != FORMATS[layout].digest(other)
    notes = root / ".cache" / "notes"
    notes.parent.mkdir()
    notes.write_text("of a download")
    assert before == FORMATS[layout].digest(root)
