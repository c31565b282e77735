"""Every Hugging Face architecture, over every split, against transformers' own logits."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch

from tests.runtime.checkpoints.models import NAMES, OF_EXPERTS, as_transformers_4, edit, write
from tests.runtime.checkpoints.ranks import Checkpoint, Split, run
from tests.runtime.conftest import quiet

TOLERANCE = 1e-4
SPLITS = {
    "one rank": Split(),
    "TP2": Split(tensor=2),
    "PP2": Split(pipeline=2),
    "EP2": Split(expert=2),
    "TP2 EP2": Split(tensor=2, expert=2),
}
OLD, SHARDED = "llama of transformers 4", "llama in several files"
ALL = (*NAMES, OLD, SHARDED)

Computed = Callable[[Split], dict[str, torch.Tensor]]


def splittable(split: Split) -> tuple[str, ...]:
    """The models that can be split so: only some have experts."""
    return OF_EXPERTS if split.expert > 1 else ALL


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every model, saved, and its logits beside it."""
    root = tmp_path_factory.mktemp("models")
    with quiet():
        for name in NAMES:
            torch.save(write(name, root / name), root / f"{name}.pt")
        torch.save(write("llama", root / OLD), root / f"{OLD}.pt")
        edit(root / OLD, as_transformers_4)
        torch.save(write("llama", root / SHARDED, max_shard_size="50KB"), root / f"{SHARDED}.pt")
    assert len(list((root / SHARDED).glob("*.safetensors"))) > 1
    return root


@pytest.fixture(scope="module")
def computed(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Computed:
    """The logits over each split, of all that can be split so; its ranks are started once."""

    @cache
    def over(split: Split) -> dict[str, torch.Tensor]:
        checkpoints = {name: Checkpoint(models / name, "hf") for name in splittable(split)}
        return run(split, checkpoints, tmp_path_factory.mktemp("ranks"))

    return over


@pytest.mark.parametrize(
    ("split", "name"),
    [
        pytest.param(split, name, id=f"{name}, {label}")
        for label, split in SPLITS.items()
        for name in splittable(split)
    ],
)
def test_logits_are_those_of_transformers(
    models: Path, computed: Computed, split: Split, name: str
) -> None:
    expected = torch.load(models / f"{name}.pt")
    torch.testing.assert_close(computed(split)[name], expected, atol=TOLERANCE, rtol=0)
