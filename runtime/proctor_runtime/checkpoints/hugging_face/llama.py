"""Llama and the dense models made like it: Mistral, Qwen2, Qwen3."""

from dataclasses import replace
from functools import partial
from typing import Any

from proctor_runtime.checkpoints.architecture import ModelConfig
from proctor_runtime.checkpoints.hugging_face.architecture import (
    Architecture,
    Recipes,
    under,
)
from proctor_runtime.checkpoints.hugging_face.fields import Fields, number, only, rope, size, window
from proctor_runtime.checkpoints.hugging_face.recipes import (
    Attention,
    Columns,
    Recipe,
    Rows,
    Source,
    Vocabulary,
    Whole,
)


def config(fields: Fields, *, base: float = 10000, **more: Any) -> ModelConfig:
    """Read the fields that all of them have."""
    for name in ("attention_bias", "mlp_bias", "use_mrope"):
        only(fields, name, False)
    only(fields, "hidden_act", "silu")
    heads, hidden = size(fields, "num_attention_heads"), size(fields, "hidden_size")
    vocabulary = size(fields, "vocab_size")
    options = {
        "num_layers": size(fields, "num_hidden_layers"),
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "num_query_groups": size({"num_key_value_heads": heads, **fields}, "num_key_value_heads"),
        "kv_channels": fields.get("head_dim") or hidden // heads,
        "ffn_hidden_size": size(fields, "intermediate_size"),
        "padded_vocab_size": vocabulary,
        "vocab_size": vocabulary,
        "max_position_embeddings": size(fields, "max_position_embeddings"),
        "normalization": "RMSNorm",
        "norm_epsilon": number(fields, "rms_norm_eps", 1e-6),
        "swiglu": True,
        "add_bias_linear": False,
        "untie_embeddings_and_output_weights": not fields.get("tie_word_embeddings", False),
        "position_embedding_type": "rope",
        "attention_window": window(fields),
    }
    return ModelConfig(**{**options, **rope(fields, base), **more})


def recipes(config: ModelConfig) -> Recipes:
    """Say how each parameter is made."""
    found = outside_layers(config)
    for layer in range(config.num_layers):
        there = f"layers.{layer}."
        parts = {**around_mlp(config, there), **under("mlp.", mlp(f"{there}mlp."))}
        found |= under(f"decoder.layers.{layer}.", parts)
    return found


def outside_layers(config: ModelConfig) -> dict[str, Recipe]:
    """Say how what stands before and behind the layers is made."""
    tied = not config.untie_embeddings_and_output_weights
    embeddings = Source("embed_tokens.weight")
    output = embeddings if tied else Source("lm_head.weight")
    return {
        "embedding.word_embeddings.weight": Vocabulary(embeddings, config.padded_vocab_size),
        "decoder.final_layernorm.weight": Whole(Source("norm.weight")),
        "output_layer.weight": Vocabulary(output, config.padded_vocab_size),
    }


def around_mlp(config: ModelConfig, layer: str) -> dict[str, Recipe]:
    """Say how a layer's norms and its attention are made."""
    attention = f"{layer}self_attn."

    def qkv(kind: str) -> Recipe:
        sources = [Source(f"{attention}{letter}_proj.{kind}") for letter in "qkv"]
        return Attention(sources, config.num_query_groups)

    found: dict[str, Recipe] = {
        "input_layernorm.weight": Whole(Source(f"{layer}input_layernorm.weight")),
        "self_attention.linear_qkv.weight": qkv("weight"),
        "self_attention.linear_proj.weight": Columns(Source(f"{attention}o_proj.weight")),
        "pre_mlp_layernorm.weight": Whole(Source(f"{layer}post_attention_layernorm.weight")),
    }
    if config.add_qkv_bias:
        found["self_attention.linear_qkv.bias"] = qkv("bias")
    if config.qk_layernorm:
        found["self_attention.q_layernorm.weight"] = Whole(Source(f"{attention}q_norm.weight"))
        found["self_attention.k_layernorm.weight"] = Whole(Source(f"{attention}k_norm.weight"))
    return found


GATED = ("gate_proj", "up_proj", "down_proj")


def mlp(block: str, names: tuple[str, str, str] = GATED) -> Recipes:
    """Say how a gated feed-forward network is made, a layer's or an expert's."""
    gate, up, down = (Source(f"{block}{name}.weight") for name in names)
    return {"linear_fc1.weight": Rows((gate, up)), "linear_fc2.weight": Columns(down)}


LLAMA = Architecture(
    model_class="LlamaForCausalLM",
    prefix="model.",
    config=config,
    recipes=recipes,
    ignored=("rotary_emb.inv_freq",),
)
MISTRAL = replace(LLAMA, model_class="MistralForCausalLM")
QWEN2 = replace(LLAMA, model_class="Qwen2ForCausalLM", config=partial(config, add_qkv_bias=True))
QWEN3 = replace(LLAMA, model_class="Qwen3ForCausalLM", config=partial(config, qk_layernorm=True))
