"""Parts made for every rank make up the whole, and no rank reads more than its part."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from proctor_runtime.checkpoints.hugging_face.format import ARCHITECTURES, padded
from proctor_runtime.checkpoints.hugging_face.recipes import (
    Attention,
    Columns,
    Recipe,
    Rows,
    Share,
    Source,
    Vocabulary,
    Whole,
)
from proctor_runtime.checkpoints.hugging_face.tensors import Tensors

HIDDEN, HEADS, GROUPS, CHANNELS, FFN, TOKENS = 8, 8, 4, 2, 12, 10
STORED = {
    "q": torch.randn(HEADS * CHANNELS, HIDDEN),
    "k": torch.randn(GROUPS * CHANNELS, HIDDEN),
    "v": torch.randn(GROUPS * CHANNELS, HIDDEN),
    "k bias": torch.randn(GROUPS * CHANNELS),
    "gate": torch.randn(FFN, HIDDEN),
    "up": torch.randn(FFN, HIDDEN),
    "down": torch.randn(HIDDEN, FFN),
    "turned qkv": torch.randn(HIDDEN, 3 * HIDDEN),
    "turned down": torch.randn(FFN, HIDDEN),
    "tokens": torch.randn(TOKENS, HIDDEN),
}


class Counted(Tensors):
    """Counts what is read."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, prefix="")
        self.elements = 0

    def read(self, name: str, *part: slice) -> torch.Tensor:
        tensor = super().read(name, *part)
        self.elements += tensor.numel()
        return tensor


@pytest.fixture
def stored(tmp_path: Path) -> Counted:
    save_file(STORED, tmp_path / "model.safetensors")
    return Counted(tmp_path)


def parts(recipe: Recipe, stored: Tensors, ways: int) -> list[torch.Tensor]:
    return [recipe.make(stored, Share(index, ways)) for index in range(ways)]


def test_a_whole_parameter_is_the_same_everywhere(stored: Tensors) -> None:
    for part in parts(Whole(Source("gate")), stored, 2):
        torch.testing.assert_close(part, STORED["gate"])


@pytest.mark.parametrize("ways", [1, 2, 4])
def test_rows_of_several_sources_are_cut_one_by_one(stored: Counted, ways: int) -> None:
    made = parts(Rows((Source("gate"), Source("up"))), stored, ways)
    gates, ups = zip(*(part.chunk(2) for part in made), strict=True)
    torch.testing.assert_close(torch.cat(gates), STORED["gate"])
    torch.testing.assert_close(torch.cat(ups), STORED["up"])
    assert stored.elements == 2 * FFN * HIDDEN


@pytest.mark.parametrize(("name", "turned"), [("down", False), ("turned down", True)])
def test_columns_are_cut(stored: Counted, name: str, turned: bool) -> None:
    made = parts(Columns(Source(name, turned)), stored, 4)
    whole = STORED[name].t() if turned else STORED[name]
    torch.testing.assert_close(torch.cat(made, 1), whole)
    assert stored.elements == whole.numel()


def grouped(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """Megatron's order, spelt out: of each group its queries, its key, its value."""
    per_group = len(q) // GROUPS
    rows = []
    for group in range(GROUPS):
        rows += [q[group * per_group : (group + 1) * per_group]]
        rows += [each[group * CHANNELS : (group + 1) * CHANNELS] for each in (k, v)]
    return torch.cat(rows)


@pytest.mark.parametrize("ways", [1, 2, 4])
def test_attention_keeps_groups_together(stored: Counted, ways: int) -> None:
    recipe = Attention([Source("q"), Source("k"), Source("v")], GROUPS)
    whole = grouped(STORED["q"], STORED["k"], STORED["v"])
    torch.testing.assert_close(torch.cat(parts(recipe, stored, ways)), whole)
    assert stored.elements == whole.numel()


def test_attention_has_biases_too(stored: Tensors) -> None:
    recipe = Attention([Source("k bias")] * 3, GROUPS)
    made = torch.cat(parts(recipe, stored, 2)).view(GROUPS, 3, CHANNELS)
    for kind in range(3):
        torch.testing.assert_close(made[:, kind].flatten(), STORED["k bias"])


def test_stacked_and_turned_queries_keys_and_values_are_taken_apart(stored: Counted) -> None:
    recipe = Attention([Source("turned qkv", transposed=True, part=(i, 3)) for i in range(3)], 4)
    q, k, v = STORED["turned qkv"].t().chunk(3)
    torch.testing.assert_close(torch.cat(parts(recipe, stored, 2)), grouped(q, k, v))
    assert stored.elements == STORED["turned qkv"].numel()


@given(st.integers(1, 6), st.integers(TOKENS, 40))
@settings(max_examples=30)
def test_a_vocabulary_is_padded_with_zeros(
    tmp_path_factory: pytest.TempPathFactory, ways: int, size: int
) -> None:
    folder = tmp_path_factory.mktemp("tokens")
    save_file({"tokens": STORED["tokens"]}, folder / "model.safetensors")
    size = -(-size // ways) * ways
    made = parts(Vocabulary(Source("tokens"), size), Tensors(folder, ""), ways)
    assert {len(part) for part in made} == {size // ways}
    whole = torch.cat(made)
    torch.testing.assert_close(whole[:TOKENS], STORED["tokens"])
    assert not whole[TOKENS:].any()


@given(st.integers(1, 8), st.integers(1, 100))
def test_shares_are_equal_and_leave_nothing_out(ways: int, each: int) -> None:
    cuts: Sequence[slice] = [Share(index, ways).of(each * ways) for index in range(ways)]
    assert (cuts[0].start, cuts[-1].stop) == (0, each * ways)
    assert all(one.stop == other.start for one, other in pairwise(cuts))


SMALL = {
    "model_type": "",
    "num_hidden_layers": 2,
    "hidden_size": 8,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "vocab_size": 10,
    "max_position_embeddings": 16,
    "num_local_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 4,
    "shared_expert_intermediate_size": 4,
    "n_layer": 2,
    "n_embd": 8,
    "n_head": 2,
    "n_positions": 16,
}


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_each_tensor_of_a_model_is_used_and_only_embeddings_twice(kind: str) -> None:
    architecture = ARCHITECTURES[kind]
    config = padded(architecture.config(SMALL | {"tie_word_embeddings": True}), 1)
    recipes = architecture.recipes(config)
    used = [(s.name, s.part) for recipe in recipes.values() for s in recipe.sources]
    twice = {name for name, _ in used if used.count((name, (0, 1))) > 1}
    assert twice == {recipes["output_layer.weight"].sources[0].name}
