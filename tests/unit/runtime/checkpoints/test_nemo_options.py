from typing import Any

import pytest

from proctor_crds.reasons import Reason
from proctor_runtime.checkpoints.architecture import ModelConfig
from proctor_runtime.checkpoints.nemo_options import megatron_options
from proctor_runtime.checkpoints.rope import RopeScaling
from proctor_runtime.failure import RejectedError

GPT = "nemo.collections.llm.gpt.model"
CONFIG: dict[str, Any] = {
    "_target_": f"{GPT}.llama.Llama31Config",
    "activation_func": {"_call_": False, "_target_": "torch.nn.functional.silu"},
    "transformer_layer_spec": {"_call_": False, "_target_": f"{GPT}.base.default_layer_spec"},
    "add_bias_linear": False,
    "bias_activation_fusion": True,
    "ffn_hidden_size": 96,
    "gated_linear_unit": True,
    "hidden_size": 64,
    "kv_channels": None,
    "layernorm_epsilon": 1e-5,
    "normalization": "RMSNorm",
    "num_attention_heads": 4,
    "num_layers": 2,
    "num_query_groups": None,
    "position_embedding_type": "rope",
    "rotary_base": 500_000,
    "seq_length": 4096,
    "share_embeddings_and_output_weights": False,
    "window_size": None,
}


def model(**changes: Any) -> dict[str, Any]:
    return {"_target_": f"{GPT}.llama.LlamaModel", "config": CONFIG | changes}


def config(**changes: Any) -> ModelConfig:
    return ModelConfig.from_options(megatron_options(model(**changes)) | {"padded_vocab_size": 128})


def test_every_option_is_read() -> None:
    assert config() == ModelConfig(
        num_layers=2,
        hidden_size=64,
        num_attention_heads=4,
        num_query_groups=4,
        kv_channels=16,
        ffn_hidden_size=96,
        padded_vocab_size=128,
        vocab_size=128,
        max_position_embeddings=4096,
        normalization="RMSNorm",
        norm_epsilon=1e-5,
        swiglu=True,
        add_bias_linear=False,
        untie_embeddings_and_output_weights=True,
        position_embedding_type="rope",
        rotary_base=500_000,
    )


def test_the_classes_of_llama_3_1_scale_their_rotations() -> None:
    numbers = {"scale_factor": 32, "low_freq_factor": 1, "high_freq_factor": 4}
    assert config(**numbers, old_context_len=4096).rope_scaling == RopeScaling(
        factor=32, low_frequency_factor=1, high_frequency_factor=4, original_context=4096
    )


def test_a_window_is_nemos_of_tokens_before() -> None:
    assert config(window_size=[4096, 0]).attention_window == 4097


def test_experts_are_read() -> None:
    experts = config(num_moe_experts=8, moe_router_topk=4, moe_ffn_hidden_size=32).experts
    assert experts is not None
    assert (experts.count, experts.per_token, experts.ffn_hidden_size) == (8, 4, 32)


@pytest.mark.parametrize(
    ("function", "gated", "read"),
    [
        ("torch.nn.functional.silu", True, (True, False)),
        ("torch._C._nn.gelu", False, (False, True)),
        ("nemo.collections.llm.fn.activation.openai_gelu", False, (False, True)),
    ],
)
def test_activations(function: str, gated: bool, read: tuple[bool, bool]) -> None:
    activation = {"activation_func": {"_target_": function}, "gated_linear_unit": gated}
    made = config(**activation, add_bias_linear=not gated)
    assert (made.swiglu, made.gelu_tanh) == read


def test_gelu_is_exact_where_nothing_is_fused() -> None:
    activation = {"activation_func": {"_target_": "torch._C._nn.gelu"}, "gated_linear_unit": False}
    assert not config(**activation, bias_activation_fusion=False, add_bias_linear=True).gelu_tanh


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"activation_func": {"_target_": "torch.nn.functional.relu"}}, "relu gated; supported"),
        ({"activation_func": None}, "activation_func is unknown"),
        ({"use_transformer_engine_full_layer_spec": True}, "full_layer_spec is true"),
        ({"transformer_layer_spec": {"_target_": f"{GPT}.gemma2.layer_spec"}}, "gemma2.layer_spec"),
        ({"layernorm_zero_centered_gamma": True}, "layernorm_zero_centered_gamma"),
        ({"heterogeneous_block_specs": True}, "heterogeneous_block_specs"),
        ({"qk_l2_norm": True}, "qk_l2_norm"),
    ],
    ids=str,
)
def test_what_would_be_computed_wrongly_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(RejectedError, match=words) as refused:
        config(**changes)
    assert refused.value.reason == Reason.CHECKPOINT_UNSUPPORTED


@pytest.mark.parametrize(
    "target", [f"{GPT}.gemma.GemmaModel", "elsewhere.LlamaModel", "", None], ids=repr
)
def test_models_that_are_not_known_are_refused_with_those_that_are(target: str | None) -> None:
    with pytest.raises(RejectedError, match=r"supported: GPTModel, LlamaModel") as refused:
        megatron_options(model() | {"_target_": target})
    assert refused.value.reason == Reason.CHECKPOINT_UNSUPPORTED
