from argparse import Namespace
from typing import Any

import pytest

from proctor_crds.reasons import Reason
from proctor_runtime.checkpoints.architecture import ModelConfig
from proctor_runtime.checkpoints.experts import Experts
from proctor_runtime.checkpoints.rope import RopeScaling
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
    assert (read.experts, read.rope_scaling, read.attention_window) == (None, None, None)


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
        ("multi_latent_attention", True),
        ("position_embedding_type", "yarn"),
        ("normalization", "L2Norm"),
        ("squared_relu", True),
        ("apply_residual_connection_post_layernorm", True),
        ("softmax_scale", 0.5),
        ("window_size", (128, 128)),
        ("window_size", (128,)),
        ("moe_router_score_function", "sigmoid"),
        ("moe_expert_capacity_factor", 1.0),
    ],
    ids=str,
)
def test_what_would_be_computed_wrongly_is_refused_by_name(key: str, value: Any) -> None:
    with pytest.raises(RejectedError, match=key) as refused:
        config(**{key: value})
    assert refused.value.reason == Reason.CHECKPOINT_UNSUPPORTED
    assert repr(value) in str(refused.value)


@pytest.mark.parametrize("value", [None, True, 0, "6"], ids=repr)
def test_a_missing_size_is_corrupt(value: Any) -> None:
    with pytest.raises(RejectedError, match=rf"num_layers is {value!r}") as refused:
        config(num_layers=value)
    assert refused.value.reason == Reason.CHECKPOINT_CORRUPT


@pytest.mark.parametrize(
    ("size", "seen"), [((128, 0), 129), ([0, -1], 1), ((-1, 0), None), (None, None)], ids=str
)
def test_a_window_counts_the_token_itself(size: Any, seen: int | None) -> None:
    assert config(window_size=size).attention_window == seen


@pytest.mark.parametrize(
    ("changes", "scaling"),
    [
        ({"use_rope_scaling": True}, RopeScaling(factor=8)),
        ({"use_rope_scaling": True, "rope_scaling_factor": 32.0}, RopeScaling(factor=32)),
        ({"rope_scaling_factor": 32.0}, None),
    ],
    ids=["default", "factor", "not used"],
)
def test_rope_scaling_is_llama_3s(changes: dict[str, Any], scaling: RopeScaling | None) -> None:
    assert config(**changes).rope_scaling == scaling


def test_positions_may_be_interpolated() -> None:
    assert config(rotary_seq_len_interpolation_factor=4).rotary_interpolation == 4
    assert config(rotary_seq_len_interpolation_factor=None).rotary_interpolation == 1


EXPERTS = {"num_experts": 8, "moe_router_topk": 3, "moe_ffn_hidden_size": 32}


def test_experts_are_read() -> None:
    read = config(
        **EXPERTS,
        moe_router_pre_softmax=True,
        moe_shared_expert_intermediate_size=16,
        moe_shared_expert_gate=True,
        moe_router_dtype="fp32",
        moe_layer_freq=[0, 1, 1, 1, 1, 1],
    )
    assert read.experts == Experts(
        count=8,
        per_token=3,
        ffn_hidden_size=32,
        layers=(False, True, True, True, True, True),
        normalized=False,
        shared_ffn_hidden_size=16,
        shared_gate=True,
        router_dtype="fp32",
    )


def test_experts_default_to_two_of_the_dense_width_in_every_layer() -> None:
    assert config(num_experts=8).experts == Experts(
        count=8, per_token=2, ffn_hidden_size=176, layers=(True,) * 6
    )


def test_every_other_layer_may_have_experts() -> None:
    read = config(**EXPERTS, moe_layer_freq=2).experts
    assert read is not None
    assert read.layers == (True, False, True, False, True, False)


@pytest.mark.parametrize("frequency", [0, [1, 0], "[1]*6"], ids=repr)
def test_layers_of_experts_that_cannot_be_told_are_corrupt(frequency: Any) -> None:
    with pytest.raises(RejectedError, match="moe_layer_freq") as refused:
        config(**EXPERTS, moe_layer_freq=frequency)
    assert refused.value.reason == Reason.CHECKPOINT_CORRUPT


def test_one_expert_whose_weight_is_normalized_is_refused() -> None:
    with pytest.raises(RejectedError, match="moe_router_topk is 1"):
        config(num_experts=8, moe_router_topk=1)
    assert config(num_experts=8, moe_router_topk=1, moe_router_pre_softmax=True).experts
