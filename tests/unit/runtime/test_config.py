from argparse import Namespace
from typing import Any

import pytest

from proctor_crds.reasons import Reason
from proctor_runtime.engine.megatron.config import ModelConfig, check_parallelism, divisors
from proctor_runtime.failure import RejectedError

LLAMA: dict[str, Any] = {
    "num_layers": 6,
    "hidden_size": 64,
    "num_attention_heads": 8,
    "group_query_attention": True,
    "num_query_groups": 4,
    "ffn_hidden_size": 176,
    "normalization": "RMSNorm",
    "norm_epsilon": 1e-6,
    "swiglu": True,
    "add_bias_linear": False,
    "untie_embeddings_and_output_weights": True,
    "position_embedding_type": "rope",
    "rotary_base": 500000,
    "padded_vocab_size": 128,
    "vocab_size": 100,
    "max_position_embeddings": 256,
}


def config(**changes: Any) -> ModelConfig:
    return ModelConfig.from_args(Namespace(**{**LLAMA, **changes}))


def test_every_argument_is_read() -> None:
    assert config() == ModelConfig(
        num_layers=6,
        hidden_size=64,
        num_attention_heads=8,
        num_query_groups=4,
        kv_channels=8,
        ffn_hidden_size=176,
        padded_vocab_size=128,
        vocab_size=100,
        max_position_embeddings=256,
        normalization="RMSNorm",
        norm_epsilon=1e-6,
        swiglu=True,
        add_bias_linear=False,
        untie_embeddings_and_output_weights=True,
        position_embedding_type="rope",
        rotary_base=500000,
    )


def test_defaults_are_megatron_lms() -> None:
    bare = Namespace(
        num_layers=2,
        hidden_size=64,
        num_attention_heads=4,
        padded_vocab_size=128,
        max_position_embeddings=64,
    )
    read = ModelConfig.from_args(bare)
    assert (read.num_query_groups, read.kv_channels, read.ffn_hidden_size) == (4, 16, 256)
    assert (read.normalization, read.position_embedding_type) == ("LayerNorm", "learned_absolute")
    assert read.add_bias_linear
    assert read.vocab_size == 128


def test_query_groups_count_only_with_grouped_attention() -> None:
    assert config(group_query_attention=False, num_query_groups=1).num_query_groups == 8


@pytest.mark.parametrize(
    ("changes", "tanh"),
    [
        ({"add_bias_linear": True, "bias_gelu_fusion": True}, True),
        ({"add_bias_linear": False, "bias_gelu_fusion": True}, False),
        ({"openai_gelu": True}, True),
        ({}, False),
    ],
    ids=["fused", "no bias to fuse", "openai", "exact"],
)
def test_the_fused_gelu_is_the_approximate_one(changes: dict[str, Any], tanh: bool) -> None:
    assert config(swiglu=False, **changes).gelu_tanh is tanh


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("num_experts", 8),
        ("multi_latent_attention", True),
        ("position_embedding_type", "yarn"),
        ("normalization", "L2Norm"),
        ("squared_relu", True),
        ("use_rope_scaling", True),
    ],
)
def test_what_would_be_computed_wrongly_is_refused_by_name(key: str, value: Any) -> None:
    with pytest.raises(RejectedError, match=key) as refused:
        config(**{key: value})
    assert refused.value.reason == Reason.CHECKPOINT_UNSUPPORTED
    assert repr(value) in str(refused.value)


def test_a_missing_size_is_corrupt() -> None:
    with pytest.raises(RejectedError, match=r"args\.num_layers is None") as refused:
        config(num_layers=None)
    assert refused.value.reason == Reason.CHECKPOINT_CORRUPT


@pytest.mark.parametrize(
    ("tensor", "pipeline", "message"),
    [
        (3, 1, r"attention heads \(8\).*parallel size 3.*checkpoint: 1, 2, 4$"),
        (8, 1, r"query groups \(4\).*parallel size 8.*checkpoint: 1, 2, 4$"),
        (1, 4, r"layers \(6\).*pipeline parallel size 4.*checkpoint: 1, 2, 3, 6$"),
    ],
    ids=["heads", "groups", "layers"],
)
def test_a_split_with_a_remainder_names_both_numbers_and_the_choices(
    tensor: int, pipeline: int, message: str
) -> None:
    with pytest.raises(RejectedError, match=message) as refused:
        check_parallelism(config(), tensor=tensor, pipeline=pipeline)
    assert refused.value.reason == Reason.PARALLELISM_INVALID


def test_a_vocabulary_that_does_not_divide_is_refused() -> None:
    with pytest.raises(RejectedError, match=r"padded vocabulary \(130\).*size 4.*: 1, 2$"):
        check_parallelism(config(padded_vocab_size=130), tensor=4, pipeline=1)


def test_whole_splits_pass() -> None:
    check_parallelism(config(), tensor=4, pipeline=3)


def test_divisors() -> None:
    assert divisors(12) == [1, 2, 3, 4, 6, 12]
