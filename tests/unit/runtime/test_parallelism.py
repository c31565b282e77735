from dataclasses import replace

import pytest

from proctor_crds.reasons import Reason
from proctor_runtime.checkpoints.architecture import ModelConfig
from proctor_runtime.checkpoints.experts import Experts
from proctor_runtime.engine.megatron.parallelism import (
    Parallelism,
    check_axes,
    check_parallelism,
    divisors,
)
from proctor_runtime.failure import RejectedError
from tests.unit.runtime.configurations import DENSE

SPARSE = replace(
    DENSE, experts=Experts(count=6, per_token=2, ffn_hidden_size=50, layers=(True,) * 6)
)


@pytest.mark.parametrize(
    ("config", "split", "message"),
    [
        (DENSE, Parallelism(tensor=3), r"attention heads \(8\).*parallel size 3.*: 1, 2, 4$"),
        (DENSE, Parallelism(tensor=8), r"query groups \(4\).*parallel size 8.*: 1, 2, 4$"),
        (DENSE, Parallelism(pipeline=4), r"layers \(6\).*pipeline parallel size 4.*: 1, 2, 3, 6$"),
        (
            SPARSE,
            Parallelism(tensor=4),
            r"experts' feed-forward width \(50\).*expert tensor parallel size 4.*: 1, 2, 5, 10",
        ),
        (SPARSE, Parallelism(tensor=4, expert=4), r"experts \(6\).*expert parallel size 4.*3, 6$"),
        (DENSE, Parallelism(tensor=2, expert=2), r"experts \(1\).*: 1$"),
        (DENSE, Parallelism(tensor=2, expert_tensor=2), r"size is 2.*no experts; leave .*out"),
    ],
    ids=["heads", "groups", "layers", "narrow experts", "experts", "none", "none to be split"],
)
def test_a_split_with_a_remainder_names_both_numbers_and_the_choices(
    config: ModelConfig, split: Parallelism, message: str
) -> None:
    check_axes(split)
    with pytest.raises(RejectedError, match=message) as refused:
        check_parallelism(config, split)
    assert refused.value.reason == Reason.PARALLELISM_INVALID


def test_a_vocabulary_that_does_not_divide_is_refused() -> None:
    with pytest.raises(RejectedError, match=r"padded vocabulary \(130\).*size 4.*: 1, 2$"):
        check_parallelism(replace(DENSE, padded_vocab_size=130), Parallelism(tensor=4))


def test_a_shared_expert_is_split_as_the_model_is() -> None:
    assert SPARSE.experts
    experts = replace(SPARSE.experts, shared_ffn_hidden_size=51)
    with pytest.raises(RejectedError, match=r"shared expert's feed-forward width \(51\).*size 2"):
        check_parallelism(replace(SPARSE, experts=experts), Parallelism(tensor=2, expert=2))


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (Parallelism(sequence=True), "tensor parallel size is 1; set parallelism.sequence to fals"),
        (
            Parallelism(tensor=2, context=3, expert=4),
            r"size 4 × expert tensor parallel size 1 .* \(2 × 3\); .*: 1, 2, 3, 6$",
        ),
        (Parallelism(context=2, expert_tensor=4), r"size 1 × .* size 4 .* \(1 × 2\); .*: none$"),
        (Parallelism(tensor=4, expert=4, expert_tensor=2), r"size 4 × .* \(4 × 1\); .*: 1, 2$"),
    ],
    ids=["nothing to split between", "too many experts", "too many parts", "both"],
)
def test_sizes_that_do_not_go_together_are_refused_with_the_remedy(
    split: Parallelism, message: str
) -> None:
    with pytest.raises(RejectedError, match=message) as refused:
        check_axes(split)
    assert refused.value.reason == Reason.PARALLELISM_INVALID


@pytest.mark.parametrize(
    ("config", "split", "ranks"),
    [
        (DENSE, Parallelism(), 1),
        (DENSE, Parallelism(tensor=4, pipeline=3, sequence=True), 12),
        (DENSE, Parallelism(context=5), 5),
        (SPARSE, Parallelism(tensor=2, pipeline=6, context=3, expert=3, expert_tensor=2), 36),
        (SPARSE, Parallelism(tensor=2, context=3, expert=6), 6),
    ],
    ids=str,
)
def test_whole_splits_pass(config: ModelConfig, split: Parallelism, ranks: int) -> None:
    check_axes(split)
    check_parallelism(config, split)
    assert split.ranks == ranks


@pytest.mark.parametrize(
    ("split", "each"),
    [
        (Parallelism(tensor=4), 4),
        (Parallelism(tensor=4, expert=2), 1),
        (Parallelism(tensor=4, expert=2, expert_tensor=2), 2),
    ],
    ids=["as the model", "spread", "both"],
)
def test_an_expert_is_split_as_the_model_unless_experts_are_spread(
    split: Parallelism, each: int
) -> None:
    assert split.expert_tensor_size == each


@pytest.mark.parametrize(
    ("config", "split", "splits"),
    [
        (DENSE, Parallelism(tensor=2), False),
        (DENSE, Parallelism(tensor=2, sequence=True), True),
        (SPARSE, Parallelism(tensor=2), True),
        (SPARSE, Parallelism(context=2, expert=2), False),
    ],
    ids=["dense", "asked for", "experts", "one tensor rank"],
)
def test_tokens_are_split_where_asked_and_for_experts(
    config: ModelConfig, split: Parallelism, splits: bool
) -> None:
    assert split.splits_tokens(config) is splits


def test_divisors() -> None:
    assert divisors(12) == [1, 2, 3, 4, 6, 12]
