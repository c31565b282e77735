"""The options of a GPT in Megatron-LM's words, as its checkpoints and NeMo's hold them."""

from collections.abc import Callable, Mapping
from typing import Any

from proctor_crds.reasons import Reason
from proctor_runtime.failure import RejectedError

Given = Mapping[str, Any]

# Options that change what the model computes and that this runtime does not implement, each with
# the test that its value is harmless.
UNSUPPORTED: dict[str, Callable[[Any], bool]] = {
    "multi_latent_attention": lambda value: not value,
    "squared_relu": lambda value: not value,
    "quick_geglu": lambda value: not value,
    "glu_linear_offset": lambda value: not value,
    "activation_func_clamp_value": lambda value: value is None,
    "apply_layernorm_1p": lambda value: not value,
    "layernorm_zero_centered_gamma": lambda value: not value,
    "apply_residual_connection_post_layernorm": lambda value: not value,
    "rotary_interleaved": lambda value: not value,
    "softmax_scale": lambda value: value is None,
    "window_attn_skip_freq": lambda value: not value,
    "qk_l2_norm": lambda value: not value,
    "attention_output_gate": lambda value: not value,
    "experimental_attention_variant": lambda value: not value,
    "linear_attention_freq": lambda value: not value,
    "mtp_num_layers": lambda value: not value,
    "hybrid_override_pattern": lambda value: not value,
    "heterogeneous_block_specs": lambda value: not value,
    "heterogeneous_layers_config_path": lambda value: not value,
    "no_rope_freq": lambda value: not value,
    "softmax_type": lambda value: value in (None, "vanilla"),
    "spec": lambda value: not value,
    "moe_router_score_function": lambda value: value in (None, "softmax"),
    "moe_router_enable_expert_bias": lambda value: not value,
    "moe_router_topk_scaling_factor": lambda value: value in (None, 1),
    "moe_router_num_groups": lambda value: not value,
    "moe_router_topk_limited_devices": lambda value: not value,
    "moe_router_load_balancing_type": lambda value: value != "sinkhorn",
    "moe_expert_capacity_factor": lambda value: value is None or value < 0,
    "moe_apply_probs_on_input": lambda value: not value,
    "moe_latent_size": lambda value: not value,
}

CHOICES = {
    "normalization": ("LayerNorm", "RMSNorm"),
    "position_embedding_type": ("rope", "learned_absolute"),
}


def refuse_unsupported(given: Given) -> None:
    """Refuse an architecture that would be computed wrongly, naming the option that says so."""
    for key, known in CHOICES.items():
        if key in given and given[key] not in known:
            raise RejectedError(
                Reason.CHECKPOINT_UNSUPPORTED,
                f"the checkpoint's {key} is {given[key]!r}; supported: {', '.join(known)}",
            )
    for key, harmless in UNSUPPORTED.items():
        if not harmless(given.get(key)):
            raise RejectedError(
                Reason.CHECKPOINT_UNSUPPORTED,
                f"the checkpoint's {key} is {given[key]!r}, which this runtime cannot serve",
            )


def required(given: Given, key: str) -> int:
    """Return a size that no default can stand in for."""
    value = given.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise RejectedError(
            Reason.CHECKPOINT_CORRUPT,
            f"the checkpoint's {key} is {value!r}, where a positive whole number is needed",
        )
    return value


def gelu_is_tanh(given: Given, *, has_bias: bool) -> bool:
    """Tell whether GELU is the tanh approximation: Megatron's fused bias-GELU kernel is."""
    return bool(given.get("openai_gelu") or (has_bias and given.get("bias_gelu_fusion")))


def window(given: Given) -> int | None:
    """Read ``window_size``: how many tokens are seen before the token itself, and after it."""
    size = given.get("window_size")
    if not size:
        return None
    if not isinstance(size, list | tuple) or len(size) != 2 or size[1] not in (0, -1):
        raise RejectedError(
            Reason.CHECKPOINT_UNSUPPORTED,
            f"the checkpoint's window_size is {size!r}; supported: two numbers, the second 0",
        )
    return int(size[0]) + 1 if size[0] >= 0 else None
