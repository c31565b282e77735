import json
from pathlib import Path
from typing import Any

import pytest

from proctor_crds.reasons import Reason
from proctor_runtime.checkpoints.architecture import ModelConfig
from proctor_runtime.checkpoints.experts import Experts
from proctor_runtime.checkpoints.hugging_face.fields import read_fields, rope, window
from proctor_runtime.checkpoints.hugging_face.format import architecture_of
from proctor_runtime.checkpoints.rope import RopeScaling
from proctor_runtime.failure import RejectedError

LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "num_hidden_layers": 4,
    "hidden_size": 64,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "intermediate_size": 96,
    "vocab_size": 1000,
    "max_position_embeddings": 512,
    "rms_norm_eps": 1e-5,
    "rope_theta": 500000.0,
}
QWEN_MOE = LLAMA | {
    "num_experts": 8,
    "num_experts_per_tok": 4,
    "moe_intermediate_size": 32,
    "decoder_sparse_step": 2,
    "mlp_only_layers": [3],
}


def config(**changes: Any) -> ModelConfig:
    fields = LLAMA | changes
    return architecture_of(fields).config(fields)


def refusal(**changes: Any) -> RejectedError:
    with pytest.raises(RejectedError) as refused:
        config(**changes)
    return refused.value


def test_every_field_is_read() -> None:
    assert config() == ModelConfig(
        num_layers=4,
        hidden_size=64,
        num_attention_heads=8,
        num_query_groups=2,
        kv_channels=8,
        ffn_hidden_size=96,
        padded_vocab_size=1000,
        vocab_size=1000,
        max_position_embeddings=512,
        normalization="RMSNorm",
        norm_epsilon=1e-5,
        swiglu=True,
        add_bias_linear=False,
        untie_embeddings_and_output_weights=True,
        position_embedding_type="rope",
        rotary_base=500000,
    )


def test_every_head_has_a_key_where_nothing_else_is_said() -> None:
    without = {key: value for key, value in LLAMA.items() if key != "num_key_value_heads"}
    assert architecture_of(without).config(without).num_query_groups == 8


def test_heads_may_be_wider_than_the_model() -> None:
    assert config(head_dim=32).kv_channels == 32
    assert config(head_dim=None).kv_channels == 8


def test_embeddings_may_be_tied() -> None:
    assert not config(tie_word_embeddings=True).untie_embeddings_and_output_weights


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"rope_theta": 5.0}, {"rotary_base": 5}),
        ({}, {"rotary_base": 7}),
        ({"rope_theta": 5.0, "rope_scaling": None}, {"rotary_base": 5}),
        (
            {"rope_theta": 5.0, "rope_scaling": {"type": "linear", "factor": 2.0}},
            {"rotary_base": 5, "rotary_interpolation": 2},
        ),
        (
            {"rope_parameters": {"rope_theta": 5.0, "rope_type": "linear", "factor": 4}},
            {"rotary_base": 5, "rotary_interpolation": 4},
        ),
        (
            {
                "rope_theta": 5.0,
                "rope_scaling": {
                    "rope_type": "llama3",
                    "factor": 8.0,
                    "low_freq_factor": 2.0,
                    "high_freq_factor": 3.0,
                    "original_max_position_embeddings": 256,
                },
            },
            {
                "rotary_base": 5,
                "rope_scaling": RopeScaling(
                    factor=8,
                    low_frequency_factor=2,
                    high_frequency_factor=3,
                    original_context=256,
                ),
            },
        ),
    ],
    ids=["base", "default", "no scaling", "linear of 4", "linear of 5", "llama3"],
)
def test_rotary_positions_are_read_as_both_versions_write_them(
    given: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert rope(given, 7) == expected


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"rope_scaling": {"rope_type": "yarn", "factor": 4}}, "'yarn'"),
        ({"rope_scaling": {"type": "dynamic", "factor": 4}}, "'dynamic'"),
        ({"rope_parameters": {"full_attention": {}, "sliding_attention": {}}}, "one for each of"),
        ({"partial_rotary_factor": 0.5}, "partial_rotary_factor is 0.5"),
    ],
    ids=["yarn", "dynamic", "by layer", "partial"],
)
def test_other_rotary_positions_are_refused(given: dict[str, Any], what: str) -> None:
    with pytest.raises(RejectedError, match=what) as refused:
        rope(given, 7)
    assert refused.value.reason == Reason.CHECKPOINT_UNSUPPORTED


@pytest.mark.parametrize(
    ("fields", "seen"),
    [
        ({"sliding_window": 64}, 64),
        ({"sliding_window": None}, None),
        ({}, None),
        ({"sliding_window": 64, "use_sliding_window": False}, None),
        ({"sliding_window": 64, "use_sliding_window": True}, 64),
        ({"sliding_window": 64, "layer_types": ["full_attention"] * 4}, None),
        ({"sliding_window": 64, "layer_types": ["full_attention", "sliding_attention"]}, 64),
        ({"sliding_window": 0, "use_sliding_window": False}, None),
    ],
    ids=str,
)
def test_a_sliding_window_is_seen(fields: dict[str, Any], seen: int | None) -> None:
    assert window(fields) == seen


def test_layers_of_another_kind_are_refused() -> None:
    error = refusal(layer_types=["full_attention", "linear_attention"])
    assert (error.reason, "layer_types" in str(error)) == (Reason.CHECKPOINT_UNSUPPORTED, True)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model_type": "gemma2"}, "model_type is 'gemma2'; supported: gpt2, llama, mistral"),
        ({"architectures": ["LlamaForSequenceClassification"]}, "supported for llama: LlamaForCa"),
        ({"attention_bias": True}, "attention_bias is true; supported: false"),
        ({"mlp_bias": True}, "mlp_bias is true"),
        ({"use_mrope": True}, "use_mrope is true"),
        ({"hidden_act": "gelu"}, 'hidden_act is "gelu"; supported: "silu"'),
        ({"quantization_config": {"quant_method": "awq"}}, r"quantized \(awq\)"),
        ({"model_type": "mixtral", "architectures": None, "num_local_experts": 4,
          "num_experts_per_tok": 1}, "num_experts_per_tok"),
    ],
    ids=str,
)  # fmt: skip
def test_what_would_be_computed_wrongly_is_refused_with_what_is_supported(
    changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(RejectedError, match=words) as refused:
        config(**changes)
    assert refused.value.reason == Reason.CHECKPOINT_UNSUPPORTED


@pytest.mark.parametrize("field", ["num_hidden_layers", "vocab_size", "hidden_size"])
@pytest.mark.parametrize("value", [None, 0, "4"], ids=repr)
def test_a_missing_size_is_corrupt(field: str, value: Any) -> None:
    error = refusal(**{field: value})
    assert (error.reason, field in str(error)) == (Reason.CHECKPOINT_CORRUPT, True)


def test_the_qwens_differ_in_biases_and_norms() -> None:
    two = config(model_type="qwen2", architectures=["Qwen2ForCausalLM"])
    three = config(model_type="qwen3", architectures=["Qwen3ForCausalLM"])
    assert (two.add_qkv_bias, two.qk_layernorm) == (True, False)
    assert (three.add_qkv_bias, three.qk_layernorm) == (False, True)


def test_mixtrals_experts_are_as_wide_as_its_layers() -> None:
    sparse = {"num_local_experts": 8, "num_experts_per_tok": 2}
    read = config(model_type="mixtral", architectures=None, **sparse)
    assert read.experts == Experts(count=8, per_token=2, ffn_hidden_size=96, layers=(True,) * 4)


def test_qwens_experts_stand_in_some_layers() -> None:
    fields = QWEN_MOE | {
        "model_type": "qwen2_moe",
        "architectures": None,
        "shared_expert_intermediate_size": 16,
    }
    read = architecture_of(fields).config(fields)
    assert read.experts == Experts(
        count=8,
        per_token=4,
        ffn_hidden_size=32,
        layers=(False, True, False, False),
        normalized=False,
        shared_ffn_hidden_size=16,
        shared_gate=True,
    )
    assert read.add_qkv_bias


def test_normalized_weights_of_experts() -> None:
    fields = QWEN_MOE | {"model_type": "qwen3_moe", "architectures": None, "norm_topk_prob": True}
    read = architecture_of(fields).config(fields).experts
    assert read is not None
    assert (read.normalized, read.shared_ffn_hidden_size) == (True, None)


GPT2 = {"model_type": "gpt2", "n_layer": 2, "n_embd": 64, "n_head": 4, "n_positions": 32}


@pytest.mark.parametrize(
    ("activation", "tanh"), [("gelu_new", True), ("gelu_pytorch_tanh", True), ("gelu", False)]
)
def test_gpt2s_activation(activation: str, tanh: bool) -> None:
    fields = GPT2 | {"vocab_size": 10, "activation_function": activation}
    assert architecture_of(fields).config(fields).gelu_tanh is tanh


@pytest.mark.parametrize(
    "option",
    [
        {"activation_function": "relu"},
        {"scale_attn_weights": False},
        {"scale_attn_by_inverse_layer_idx": True},
        {"add_cross_attention": True},
    ],
    ids=str,
)
def test_gpt2s_variants_are_refused(option: dict[str, Any]) -> None:
    fields = GPT2 | {"vocab_size": 10} | option
    with pytest.raises(RejectedError, match=next(iter(option))) as refused:
        architecture_of(fields).config(fields)
    assert refused.value.reason == Reason.CHECKPOINT_UNSUPPORTED


def test_a_folder_without_a_configuration_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(RejectedError, match=r"no config\.json") as refused:
        read_fields(tmp_path)
    assert refused.value.reason == Reason.CHECKPOINT_NOT_FOUND


@pytest.mark.parametrize("content", ["{", json.dumps([1])], ids=["truncated", "no object"])
def test_a_configuration_that_is_none_is_corrupt(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(RejectedError, match=r"config\.json") as refused:
        read_fields(tmp_path)
    assert refused.value.reason == Reason.CHECKPOINT_CORRUPT
