"""Layers of experts, in Megatron-Core's own implementation, which needs no Transformer Engine."""

from typing import Any

from megatron.core import parallel_state
from megatron.core.transformer.moe import moe_utils

from proctor_runtime.checkpoints.architecture import ModelConfig


def options(config: ModelConfig) -> dict[str, Any]:
    """Return what ``TransformerConfig`` is told of a model's experts."""
    experts = config.experts
    if experts is None:
        return {}
    accommodate_router()
    return {
        "num_moe_experts": experts.count,
        "moe_router_topk": experts.per_token,
        "moe_router_pre_softmax": not experts.normalized,
        "moe_router_dtype": experts.router_dtype,
        # Balancing is for training.
        "moe_router_load_balancing_type": "none",
        "moe_ffn_hidden_size": experts.ffn_hidden_size,
        "moe_shared_expert_intermediate_size": experts.shared_ffn_hidden_size,
        "moe_shared_expert_gate": experts.shared_gate,
        "moe_layer_freq": [int(sparse) for sparse in experts.layers] if mixed(config) else 1,
        # The one that needs no CUDA streams.
        "moe_token_dispatcher_type": "allgather",
        "expert_model_parallel_size": parallel_state.get_expert_model_parallel_world_size(),
        "expert_tensor_parallel_size": parallel_state.get_expert_tensor_parallel_world_size(),
    }


def mixed(config: ModelConfig) -> bool:
    """Tell whether some layers are dense."""
    return config.experts is not None and not all(config.experts.layers)


def take_split_tokens(layer: Any) -> None:
    """Let a layer of experts take tokens of which each tensor parallel rank holds its own.

    The experts of all tokens do; the shared expert has to be told. In the configuration Megatron-
    Core's norms without Transformer Engine would refuse it.
    """
    if layer.shared_experts is not None:
        layer.shared_experts.linear_fc1.sequence_parallel = True
        layer.shared_experts.linear_fc2.sequence_parallel = True


def accommodate_router() -> None:
    """Define a name that Megatron-Core 0.16 always uses and gets from Transformer Engine only."""
    if not hasattr(moe_utils, "te_general_gemm"):
        moe_utils.te_general_gemm = None
