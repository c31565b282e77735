"""Building a Megatron-Core ``GPTModel`` from a configuration, on this rank's device."""

from argparse import Namespace
from functools import partial
from typing import Any

import torch
from megatron.core import parallel_state
from megatron.core.models.gpt import GPTModel
from megatron.core.models.gpt.gpt_layer_specs import (
    get_gpt_decoder_block_spec,
    get_gpt_layer_local_spec,
)
from megatron.core.transformer.spec_utils import ModuleSpec
from megatron.core.transformer.transformer_block import TransformerBlockSubmodules
from megatron.core.transformer.transformer_config import TransformerConfig
from torch.nn import functional

from proctor_runtime.checkpoints.architecture import ModelConfig
from proctor_runtime.engine.megatron import cpu, moe, rope
from proctor_runtime.engine.megatron.attention import SdpaAttention


def build_model(
    architecture: ModelConfig | Namespace,
    *,
    dtype: torch.dtype = torch.float32,
    initialize: bool = True,
) -> Any:
    """Build this rank's share of the model, as `parallel_state` (already set up) splits it.

    With `initialize` the weights are random (for training); without, they are left for a checkpoint
    to fill.
    """
    cpu.accommodate()
    cpu.accommodate_dropout()
    config = (
        ModelConfig.from_args(architecture) if isinstance(architecture, Namespace) else architecture
    )
    options = transformer_config(config, dtype=dtype, initialize=initialize)
    model = GPTModel(
        options,
        layer_spec(config, options),
        vocab_size=config.padded_vocab_size,
        max_sequence_length=config.max_position_embeddings,
        pre_process=parallel_state.is_pipeline_first_stage(),
        post_process=parallel_state.is_pipeline_last_stage(),
        parallel_output=False,
        share_embeddings_and_output_weights=not config.untie_embeddings_and_output_weights,
        position_embedding_type=config.position_embedding_type,
        rotary_percent=config.rotary_percent,
        rotary_base=config.rotary_base,
        seq_len_interpolation_factor=config.rotary_interpolation,
    )
    if config.rope_scaling:
        rotary = model.rotary_pos_emb
        rotary.inv_freq = rope.scaled(rotary.inv_freq, config.rope_scaling)
    return model.to(device()).eval()


def device() -> torch.device:
    """Return where this rank computes."""
    if torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())
    return cpu.CPU


def layer_spec(
    config: ModelConfig, options: TransformerConfig
) -> ModuleSpec | TransformerBlockSubmodules:
    """Return Megatron-Core's local layers with our attention core in them."""
    if config.experts:
        block = get_gpt_decoder_block_spec(
            options, use_transformer_engine=False, normalization=config.normalization
        )
        layers = block.layer_specs
    else:
        block = get_gpt_layer_local_spec(
            normalization=config.normalization, qk_layernorm=config.qk_layernorm
        )
        layers = [block]
    for layer in layers:
        layer.submodules.self_attention.submodules.core_attention = SdpaAttention
    return block


def transformer_config(
    config: ModelConfig, *, dtype: torch.dtype, initialize: bool
) -> TransformerConfig:
    """Translate to Megatron-Core's own configuration; every fusion that needs Apex or TE is off."""
    return TransformerConfig(
        num_layers=config.num_layers,
        hidden_size=config.hidden_size,
        num_attention_heads=config.num_attention_heads,
        num_query_groups=config.num_query_groups,
        kv_channels=config.kv_channels,
        ffn_hidden_size=config.ffn_hidden_size,
        normalization=config.normalization,
        layernorm_epsilon=config.norm_epsilon,
        gated_linear_unit=config.swiglu,
        activation_func=activation(config),
        add_bias_linear=config.add_bias_linear,
        add_qkv_bias=config.add_qkv_bias,
        qk_layernorm=config.qk_layernorm,
        tensor_model_parallel_size=parallel_state.get_tensor_model_parallel_world_size(),
        pipeline_model_parallel_size=parallel_state.get_pipeline_model_parallel_world_size(),
        pipeline_dtype=dtype,
        params_dtype=dtype,
        bf16=dtype is torch.bfloat16,
        fp16=dtype is torch.float16,
        attention_dropout=0.0,
        hidden_dropout=0.0,
        use_cpu_initialization=True,
        perform_initialization=initialize,
        bias_activation_fusion=False,
        bias_dropout_fusion=False,
        apply_rope_fusion=False,
        masked_softmax_fusion=False,
        gradient_accumulation_fusion=False,
        persist_layer_norm=False,
        **moe.options(config),
    )


def activation(config: ModelConfig) -> Any:
    """Return the feed-forward layer's activation function."""
    if config.swiglu:
        return functional.silu
    return partial(functional.gelu, approximate="tanh") if config.gelu_tanh else functional.gelu
