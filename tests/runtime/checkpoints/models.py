"""Tiny random models of every architecture, made and computed by transformers."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

LENGTH = 60
VOCABULARY = 100
COMMON = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 96,
    "max_position_embeddings": 64,
}
SPARSE = {**COMMON, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 48}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500.0,
    "factor": 4.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}


def configurations() -> dict[str, Any]:
    """Every architecture, with the options in which models of it differ."""
    import transformers as hf

    linear = {"rope_type": "linear", "rope_theta": 1000.0, "factor": 2.0}
    return {
        "llama": hf.LlamaConfig(**COMMON, rope_parameters=LLAMA3),
        "llama tied": hf.LlamaConfig(
            **COMMON, rope_parameters=linear, tie_word_embeddings=True, head_dim=32
        ),
        "mistral": hf.MistralConfig(**COMMON, sliding_window=64),
        "qwen2": hf.Qwen2Config(**COMMON, tie_word_embeddings=True),
        "qwen3": hf.Qwen3Config(**COMMON, head_dim=32),
        "gpt2": hf.GPT2Config(
            vocab_size=VOCABULARY, n_embd=64, n_layer=2, n_head=4, n_positions=64
        ),
        "gpt2 wide": hf.GPT2Config(
            vocab_size=VOCABULARY,
            n_embd=64,
            n_layer=2,
            n_head=4,
            n_positions=64,
            n_inner=96,
            activation_function="gelu",
            tie_word_embeddings=False,
        ),
        "mixtral": hf.MixtralConfig(**COMMON, num_local_experts=4),
        "qwen2_moe": hf.Qwen2MoeConfig(
            **SPARSE, shared_expert_intermediate_size=32, decoder_sparse_step=2
        ),
        "qwen3_moe": hf.Qwen3MoeConfig(
            **SPARSE, head_dim=32, mlp_only_layers=[0], norm_topk_prob=True
        ),
    }


NAMES = (
    "llama",
    "llama tied",
    "mistral",
    "qwen2",
    "qwen3",
    "gpt2",
    "gpt2 wide",
    "mixtral",
    "qwen2_moe",
    "qwen3_moe",
)
OF_EXPERTS = ("mixtral", "qwen2_moe", "qwen3_moe")
CONVERTED = ("llama", "gpt2", "qwen3_moe")
"""Those that the tests have in every format."""


def inputs() -> torch.Tensor:
    """Three rows of tokens."""
    return torch.randint(VOCABULARY, (3, LENGTH), generator=torch.Generator().manual_seed(7))


def write(name: str, folder: Path, **how: Any) -> torch.Tensor:
    """Save one model as its users would; return its logits as transformers computes them."""
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(configurations()[name]).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # norms of one and biases of zero hide mistakes
            parameter.add_(torch.randn_like(parameter) * 0.1)
        logits: torch.Tensor = model(inputs()).logits
    model.save_pretrained(folder, **how)
    return logits


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a model's config.json."""
    path = folder / "config.json"
    fields = json.loads(path.read_text())
    change(fields)
    path.write_text(json.dumps(fields))


def as_transformers_4(fields: dict[str, Any]) -> None:
    """Write the rotary positions where transformers 4 had them."""
    rope = fields.pop("rope_parameters")
    fields["rope_theta"] = rope.pop("rope_theta")
    fields["rope_scaling"] = rope
    fields["torch_dtype"] = fields.pop("dtype")
