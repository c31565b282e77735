"""The architecture of a GPT, as every checkpoint format is translated to it."""

from argparse import Namespace
from dataclasses import dataclass

from proctor_runtime.checkpoints import experts, rope
from proctor_runtime.checkpoints.arguments import (
    Given,
    gelu_is_tanh,
    refuse_unsupported,
    required,
    window,
)
from proctor_runtime.checkpoints.experts import Experts
from proctor_runtime.checkpoints.rope import RopeScaling


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
    rotary_base: float = 10000
    rotary_percent: float = 1.0
    rotary_interpolation: float = 1.0
    """Positions are divided by this before they are embedded."""
    rope_scaling: RopeScaling | None = None
    attention_window: int | None = None
    """A token sees this many, itself included; None if it sees all before it."""
    experts: Experts | None = None

    @classmethod
    def from_args(cls, args: Namespace) -> "ModelConfig":
        """Read the arguments that Megatron-LM stores in a checkpoint, with its defaults."""
        return cls.from_options(vars(args))

    @classmethod
    def from_options(cls, given: Given) -> "ModelConfig":
        """Read options under the names of Megatron-LM's arguments, with its defaults."""
        refuse_unsupported(given)
        heads = required(given, "num_attention_heads")
        hidden = required(given, "hidden_size")
        layers = required(given, "num_layers")
        grouped = given.get("group_query_attention", "num_query_groups" in given)
        padded = required(given, "padded_vocab_size")
        bias = given.get("add_bias_linear", not given.get("disable_bias_linear", False))
        ffn = given.get("ffn_hidden_size") or 4 * hidden
        return cls(
            num_layers=layers,
            hidden_size=hidden,
            num_attention_heads=heads,
            num_query_groups=(grouped and given.get("num_query_groups")) or heads,
            kv_channels=given.get("kv_channels") or hidden // heads,
            ffn_hidden_size=ffn,
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
            rotary_base=given.get("rotary_base") or 10000,
            rotary_percent=float(given.get("rotary_percent") or 1.0),
            rotary_interpolation=float(given.get("rotary_seq_len_interpolation_factor") or 1.0),
            rope_scaling=rope.from_arguments(given),
            attention_window=window(given),
            experts=experts.from_arguments(given, layers, ffn),
        )
