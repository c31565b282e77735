from dataclasses import replace

import pytest

from proctor_crds.reasons import Reason
from proctor_runtime.checkpoints.architecture import ModelConfig
from proctor_runtime.checkpoints.experts import Experts
from proctor_runtime.engine.megatron.config import check_context, check_parallelism, divisors
from proctor_runtime.failure import RejectedError

DENSE = ModelConfig(
    num_layers=6,
    hidden_size=64,
    num_attention_heads=8,
    num_query_groups=4,
    kv_channels=8,
    ffn_hidden_size=176,
    padded_vocab_size=128,
    vocab_size=100,
    max_position_embeddings=256,
)
SPARSE = replace(
    DENSE, experts=Experts(count=6, per_token=2, ffn_hidden_size=50, layers=(True,) * 6)
)


@pytest.mark.parametrize(
    ("config", "split", "message"),
    [
        (DENSE, {"tensor": 3}, r"attention heads \(8\).*parallel size 3.*checkpoint: 1, 2, 4$"),
        (DENSE, {"tensor": 8}, r"query groups \(4\).*parallel size 8.*checkpoint: 1, 2, 4$"),
        (DENSE, {"pipeline": 4}, r"layers \(6\).*pipeline parallel size 4.*: 1, 2, 3, 6$"),
        (SPARSE, {"tensor": 4}, r"experts' feed-forward width \(50\).*: 1, 2$"),
        (SPARSE, {"expert": 4}, r"experts \(6\).*expert parallel size 4.*: 1, 2, 3, 6$"),
        (DENSE, {"expert": 2}, r"experts \(1\).*: 1$"),
    ],
    ids=["heads", "groups", "layers", "narrow experts", "experts", "no experts"],
)
def test_a_split_with_a_remainder_names_both_numbers_and_the_choices(
    config: ModelConfig, split: dict[str, int], message: str
) -> None:
    with pytest.raises(RejectedError, match=message) as refused:
        check_parallelism(config, **{"tensor": 1, "pipeline": 1, **split})
    assert refused.value.reason == Reason.PARALLELISM_INVALID


def test_a_vocabulary_that_does_not_divide_is_refused() -> None:
    with pytest.raises(RejectedError, match=r"padded vocabulary \(130\).*size 4.*: 1, 2$"):
        check_parallelism(replace(DENSE, padded_vocab_size=130), tensor=4, pipeline=1)


def test_whole_splits_pass() -> None:
    check_parallelism(DENSE, tensor=4, pipeline=3)
    check_parallelism(SPARSE, tensor=2, pipeline=6, expert=3)


@pytest.mark.parametrize(("window", "length"), [(None, 10**6), (64, 64), (300, 10**6)], ids=str)
def test_a_window_that_no_sequence_outgrows_makes_no_difference(
    window: int | None, length: int
) -> None:
    check_context(replace(DENSE, attention_window=window), length)


def test_a_window_that_sequences_outgrow_is_refused_with_the_remedy() -> None:
    with pytest.raises(RejectedError, match=r"of 64 tokens.*of 65.*maxSequenceLength to 64") as no:
        check_context(replace(DENSE, attention_window=64), 65)
    assert no.value.reason == Reason.CHECKPOINT_UNSUPPORTED


def test_divisors() -> None:
    assert divisors(12) == [1, 2, 3, 4, 6, 12]
