"""Megatron's architecture and weights under the names of Hugging Face's Llama."""

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import torch

Weights = dict[str, torch.Tensor]


def llama_config(arguments: Namespace, tokenizer: Path) -> dict[str, Any]:
    """Translate the architecture to the names of Hugging Face's Llama."""
    special = special_token_ids(tokenizer)
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "dtype": "float32",
        "hidden_size": arguments.hidden_size,
        "intermediate_size": arguments.ffn_hidden_size,
        "num_hidden_layers": arguments.num_layers,
        "num_attention_heads": arguments.num_attention_heads,
        "num_key_value_heads": arguments.num_query_groups,
        "head_dim": arguments.kv_channels,
        "hidden_act": "silu",
        "rms_norm_eps": arguments.norm_epsilon,
        "rope_parameters": {"rope_type": "default", "rope_theta": arguments.rotary_base},
        "max_position_embeddings": arguments.max_position_embeddings,
        "vocab_size": arguments.vocab_size,
        "tie_word_embeddings": not arguments.untie_embeddings_and_output_weights,
        "attention_bias": False,
        "mlp_bias": False,
        "bos_token_id": special["bos_token"],
        "eos_token_id": special["eos_token"],
        "pad_token_id": special["pad_token"],
    }


def special_token_ids(tokenizer: Path) -> dict[str, int]:
    """Look up the ids of the tokens that the tokenizer's configuration names."""
    names = json.loads((tokenizer / "tokenizer_config.json").read_text())
    added = json.loads((tokenizer / "tokenizer.json").read_text())["added_tokens"]
    ids = {token["content"]: token["id"] for token in added}
    return {role: ids[names[role]] for role in ("bos_token", "eos_token", "pad_token")}


def llama_weights(state: Weights, arguments: Namespace) -> Weights:
    """Rename and unpack every weight."""
    # Rows beyond the vocabulary exist only to make Megatron's matrix divisible.
    size = arguments.vocab_size
    weights = {
        "model.embed_tokens.weight": state["embedding.word_embeddings.weight"][:size],
        "model.norm.weight": state["decoder.final_layernorm.weight"],
    }
    if arguments.untie_embeddings_and_output_weights:
        weights["lm_head.weight"] = state["output_layer.weight"][:size]
    for number in range(arguments.num_layers):
        prefix = f"decoder.layers.{number}."
        layer = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        renamed = layer_weights(layer, arguments)
        weights |= {f"model.layers.{number}.{name}": weight for name, weight in renamed.items()}
    return weights


def layer_weights(layer: Weights, arguments: Namespace) -> Weights:
    """Unpack one layer: Megatron stacks the gate on the up projection, and each group's q, k, v."""
    gate, up = layer["mlp.linear_fc1.weight"].chunk(2)
    query, key, value = split_groups(layer["self_attention.linear_qkv.weight"], arguments)
    return {
        "input_layernorm.weight": layer["input_layernorm.weight"],
        "post_attention_layernorm.weight": layer["pre_mlp_layernorm.weight"],
        "self_attn.q_proj.weight": query,
        "self_attn.k_proj.weight": key,
        "self_attn.v_proj.weight": value,
        "self_attn.o_proj.weight": layer["self_attention.linear_proj.weight"],
        "mlp.gate_proj.weight": gate,
        "mlp.up_proj.weight": up,
        "mlp.down_proj.weight": layer["mlp.linear_fc2.weight"],
    }


def split_groups(stacked: torch.Tensor, arguments: Namespace) -> list[torch.Tensor]:
    """Take queries, keys and values out of the query groups that Megatron stacks them in."""
    groups, channels = arguments.num_query_groups, arguments.kv_channels
    queries = arguments.num_attention_heads // groups * channels
    grouped = stacked.view(groups, -1, arguments.hidden_size)
    parts = torch.split(grouped, [queries, channels, channels], dim=1)
    return [part.flatten(0, 1) for part in parts]
