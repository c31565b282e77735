"""What a checkpoint's arguments say about its architecture, under Megatron-LM's own names."""

from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from proctor_crds.reasons import Reason
from proctor_runtime.failure import RejectedError

# Arguments that change what the model computes and that this runtime does not implement, each with
# the test that its value is harmless.
UNSUPPORTED: dict[str, Callable[[Any], bool]] = {
    "num_experts": lambda value: not value,
    "multi_latent_attention": lambda value: not value,
    "squared_relu": lambda value: not value,
    "apply_layernorm_1p": lambda value: not value,
    "rotary_interleaved": lambda value: not value,
    "use_rope_scaling": lambda value: not value,
    "rotary_seq_len_interpolation_factor": lambda value: value in (None, 1),
    "window_size": lambda value: not value,
    "qk_l2_norm": lambda value: not value,
    "mtp_num_layers": lambda value: not value,
    "hybrid_override_pattern": lambda value: not value,
    "no_rope_freq": lambda value: not value,
    "softmax_type": lambda value: value in (None, "vanilla"),
    "spec": lambda value: not value,
}


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The architecture of a GPT, complete: two equal configurations build equal models."""

    num_layers: int
    hidden_size: int
    num_attention_heads: int
    num_query_groups: int
    kv_channels: int
    ffn_hidden_size: int
    padded_vocab_size: int
    vocab_size: int
    """Tokens that exist; the rows from here to `padded_vocab_size` only make it divisible."""
    max_position_embeddings: int
    normalization: str = "LayerNorm"
    norm_epsilon: float = 1e-5
    swiglu: bool = False
    gelu_tanh: bool = False
    add_bias_linear: bool = True
    add_qkv_bias: bool = False
    qk_layernorm: bool = False
    untie_embeddings_and_output_weights: bool = False
    position_embedding_type: str = "learned_absolute"
    rotary_base: int = 10000
    rotary_percent: float = 1.0

    @classmethod
    def from_args(cls, args: Namespace) -> "ModelConfig":
        """Read the arguments that Megatron-LM stores in a checkpoint, with its defaults."""
        given = vars(args)
        refuse_unsupported(given)
        heads = required(given, "num_attention_heads")
        hidden = required(given, "hidden_size")
        grouped = given.get("group_query_attention", "num_query_groups" in given)
        padded = required(given, "padded_vocab_size")
        bias = given.get("add_bias_linear", not given.get("disable_bias_linear", False))
        return cls(
            num_layers=required(given, "num_layers"),
            hidden_size=hidden,
            num_attention_heads=heads,
            num_query_groups=(grouped and given.get("num_query_groups")) or heads,
            kv_channels=given.get("kv_channels") or hidden // heads,
            ffn_hidden_size=given.get("ffn_hidden_size") or 4 * hidden,
            padded_vocab_size=padded,
            vocab_size=min(given.get("vocab_size") or padded, padded),
            max_position_embeddings=required(given, "max_position_embeddings"),
            normalization=given.get("normalization", "LayerNorm"),
            norm_epsilon=given.get("norm_epsilon") or given.get("layernorm_epsilon") or 1e-5,
            swiglu=bool(given.get("swiglu")),
            gelu_tanh=gelu_is_tanh(given, has_bias=bool(bias)),
            add_bias_linear=bool(bias),
            add_qkv_bias=bool(given.get("add_qkv_bias")),
            qk_layernorm=bool(given.get("qk_layernorm")),
            untie_embeddings_and_output_weights=bool(
                given.get("untie_embeddings_and_output_weights")
            ),
            position_embedding_type=given.get("position_embedding_type", "learned_absolute"),
            rotary_base=int(given.get("rotary_base") or 10000),
            rotary_percent=float(given.get("rotary_percent") or 1.0),
        )


def required(given: dict[str, Any], key: str) -> int:
    """Return a size that no default can stand in for."""
    value = given.get(key)
    if not isinstance(value, int) or value < 1:
        raise RejectedError(
            Reason.CHECKPOINT_CORRUPT,
            f"the checkpoint's args.{key} is {value!r}, where a positive whole number is needed",
        )
    return value


def gelu_is_tanh(given: dict[str, Any], *, has_bias: bool) -> bool:
    """Tell whether GELU is the tanh approximation: Megatron's fused bias-GELU kernel is."""
    return bool(given.get("openai_gelu") or (has_bias and given.get("bias_gelu_fusion")))


def refuse_unsupported(given: dict[str, Any]) -> None:
    """Refuse an architecture that would be computed wrongly, naming the argument that says so."""
    choices = {
        "normalization": ("LayerNorm", "RMSNorm"),
        "position_embedding_type": ("rope", "learned_absolute"),
    }
    for key, known in choices.items():
        if key in given and given[key] not in known:
            raise RejectedError(
                Reason.CHECKPOINT_UNSUPPORTED,
                f"the checkpoint's args.{key} is {given[key]!r}; supported: {', '.join(known)}",
            )
    for key, harmless in UNSUPPORTED.items():
        if not harmless(given.get(key)):
            raise RejectedError(
                Reason.CHECKPOINT_UNSUPPORTED,
                f"the checkpoint's args.{key} is {given[key]!r}, which this runtime cannot serve",
            )


def check_parallelism(config: ModelConfig, *, tensor: int, pipeline: int) -> None:
    """Refuse a split that leaves a remainder, naming both numbers and what would divide."""
    splits = [
        ("attention heads", config.num_attention_heads, "tensor", tensor),
        ("query groups", config.num_query_groups, "tensor", tensor),
        ("feed-forward width", config.ffn_hidden_size, "tensor", tensor),
        ("padded vocabulary", config.padded_vocab_size, "tensor", tensor),
        ("layers", config.num_layers, "pipeline", pipeline),
    ]
    for what, size, axis, ways in splits:
        if size % ways:
            valid = valid_ways(config, axis)
            raise RejectedError(
                Reason.PARALLELISM_INVALID,
                f"{what} ({size}) cannot be divided by {axis} parallel size {ways}; "
                f"valid {axis} parallel sizes for this checkpoint: {', '.join(map(str, valid))}",
            )


def valid_ways(config: ModelConfig, axis: str) -> list[int]:
    """List every parallel size along `axis` that this model divides by."""
    if axis == "pipeline":
        return divisors(config.num_layers)
    sizes = (config.num_attention_heads, config.ffn_hidden_size, config.padded_vocab_size)
    return [n for n in divisors(config.num_query_groups) if not any(s % n for s in sizes)]


def divisors(number: int) -> list[int]:
    """List the divisors of a positive number in ascending order."""
    return [n for n in range(1, number + 1) if number % n == 0]
