"""The models of experts: Mixtral, Qwen2-MoE, Qwen3-MoE. Around the experts they are like Llama."""

from dataclasses import replace
from typing import Any

from proctor_runtime.checkpoints.architecture import ModelConfig
from proctor_runtime.checkpoints.experts import Experts
from proctor_runtime.checkpoints.hugging_face import llama
from proctor_runtime.checkpoints.hugging_face.architecture import Recipes, under
from proctor_runtime.checkpoints.hugging_face.fields import Fields, size
from proctor_runtime.checkpoints.hugging_face.recipes import Recipe, Source, Whole


def mixtral_config(fields: Fields) -> ModelConfig:
    """Read Mixtral's fields: every layer has experts, as wide as a dense network would be."""
    layers = size(fields, "num_hidden_layers")
    experts = Experts(
        count=size(fields, "num_local_experts"),
        per_token=size(fields, "num_experts_per_tok"),
        ffn_hidden_size=size(fields, "intermediate_size"),
        layers=(True,) * layers,
    )
    return llama.config(fields, base=1e6, experts=experts)


def qwen_experts(fields: Fields, **more: Any) -> Experts:
    """Read the fields that both Qwen models have."""
    return Experts(
        count=size(fields, "num_experts", "num_local_experts"),
        per_token=size(fields, "num_experts_per_tok"),
        ffn_hidden_size=size(fields, "moe_intermediate_size"),
        layers=sparse_layers(fields),
        normalized=bool(fields.get("norm_topk_prob", False)),
        **more,
    )


def sparse_layers(fields: Fields) -> tuple[bool, ...]:
    """Tell which layers have experts: every so many-th, but for those that are listed as dense."""
    step, dense = fields.get("decoder_sparse_step", 1), fields.get("mlp_only_layers") or ()
    layers = range(size(fields, "num_hidden_layers"))
    return tuple(layer not in dense and (layer + 1) % step == 0 for layer in layers)


def qwen2_config(fields: Fields) -> ModelConfig:
    """Read Qwen2-MoE's fields."""
    shared = size(fields, "shared_expert_intermediate_size")
    experts = qwen_experts(fields, shared_ffn_hidden_size=shared, shared_gate=True)
    bias = bool(fields.get("qkv_bias", True))
    return llama.config(fields, experts=experts, add_qkv_bias=bias)


def qwen3_config(fields: Fields) -> ModelConfig:
    """Read Qwen3-MoE's fields."""
    return llama.config(fields, experts=qwen_experts(fields), qk_layernorm=True)


def mixtral_recipes(config: ModelConfig) -> Recipes:
    """Say how each parameter is made."""
    found = llama.outside_layers(config)
    for layer in range(config.num_layers):
        there = f"layers.{layer}."
        experts = experts_of(config, f"{there}block_sparse_moe.", ("w1", "w3", "w2"))
        parts = {**llama.around_mlp(config, there), **under("mlp.", experts)}
        found |= under(f"decoder.layers.{layer}.", parts)
    return found


def qwen_recipes(config: ModelConfig) -> Recipes:
    """Say how each parameter is made."""
    found = llama.outside_layers(config)
    for layer in range(config.num_layers):
        there = f"layers.{layer}."
        parts = {**llama.around_mlp(config, there), **under("mlp.", qwen_mlp(config, layer))}
        found |= under(f"decoder.layers.{layer}.", parts)
    return found


def qwen_mlp(config: ModelConfig, layer: int) -> Recipes:
    """Say how one layer's network is made: dense, or of experts and perhaps one for all tokens."""
    experts, there = config.experts, f"layers.{layer}.mlp."
    if not experts or not experts.layers[layer]:
        return llama.mlp(there)
    found = experts_of(config, there, llama.GATED)
    if experts.shared_ffn_hidden_size:
        found |= under("shared_experts.", llama.mlp(f"{there}shared_expert."))
    if experts.shared_gate:
        found["shared_experts.gate_weight"] = Whole(Source(f"{there}shared_expert_gate.weight"))
    return found


def experts_of(config: ModelConfig, block: str, names: tuple[str, str, str]) -> dict[str, Recipe]:
    """Say how the router and the experts of one layer are made."""
    found: dict[str, Recipe] = {"router.weight": Whole(Source(f"{block}gate.weight"))}
    for expert in range(config.experts.count if config.experts else 0):
        parts = llama.mlp(f"{block}experts.{expert}.", names)
        found |= under(f"experts.local_experts.{expert}.", parts)
    return found


MIXTRAL = replace(
    llama.LLAMA,
    model_class="MixtralForCausalLM",
    config=mixtral_config,
    recipes=mixtral_recipes,
)
QWEN2_MOE = replace(
    llama.LLAMA, model_class="Qwen2MoeForCausalLM", config=qwen2_config, recipes=qwen_recipes
)
QWEN3_MOE = replace(QWEN2_MOE, model_class="Qwen3MoeForCausalLM", config=qwen3_config)
