"""A Hugging Face model in Megatron-LM's and in NeMo 2's layout.

``python -m tests.runtime.checkpoints.convert HUGGING_FACE OUT`` writes OUT/megatron, OUT/nemo, and
OUT/split-gate, which is Megatron's newer layout of feed-forward networks. NeMo's is as NeMo 2.5
writes it, down to what only training needs; of that, every pickle would run code if it were read.
"""

import json
import sys
import warnings
from argparse import Namespace
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import yaml

from proctor_runtime.checkpoints.architecture import ModelConfig
from tests.runtime.checkpoints.models import VOCABULARY

GPT = "nemo.collections.llm.gpt.model"


class Intruder:
    """Runs code where it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return sys.exit, ("an intruder was let in",)


def arguments(config: ModelConfig) -> Namespace:
    """What Megatron-LM would store."""
    same = asdict(config)
    experts, scaling = same.pop("experts"), same.pop("rope_scaling")
    given = {**same, "group_query_attention": True, "openai_gelu": config.gelu_tanh}
    if scaling:
        # Megatron-LM has no words for the rest; NeMo has.
        given |= {"use_rope_scaling": True, "rope_scaling_factor": scaling["factor"]}
        given |= {"old_context_len": scaling["original_context"]}
    if experts:
        given |= {
            "num_experts": experts["count"],
            "moe_router_topk": experts["per_token"],
            "moe_ffn_hidden_size": experts["ffn_hidden_size"],
            "moe_layer_freq": [int(sparse) for sparse in experts["layers"]],
            "moe_router_pre_softmax": not experts["normalized"],
        }
    return Namespace(**given)


def function(name: str) -> dict[str, Any]:
    """A function, as NeMo writes it."""
    return {"_call_": False, "_target_": name}


def model_yaml(config: ModelConfig) -> dict[str, Any]:
    """What NeMo's io_dump writes of a model."""
    tokenizer = {
        "_target_": "nemo.collections.common.tokenizers.huggingface.auto_tokenizer.AutoTokenizer",
        "pretrained_model_name": "nemo_tokenizer",
        "use_fast": True,
    }
    return {
        "_target_": f"{GPT}.llama.LlamaModel",
        "config": dense_options(config) | rope_options(config) | expert_options(config),
        "model_transform": None,
        "optim": None,
        "tokenizer": tokenizer,
    }


def dense_options(config: ModelConfig) -> dict[str, Any]:
    """The fields of a model's class (a part: NeMo writes every one)."""
    silu, gelu = "torch.nn.functional.silu", "nemo.collections.llm.fn.activation.openai_gelu"
    return {
        "_target_": f"{GPT}.llama.Llama31Config",
        "_cpu_offloading_context": None,
        "activation_func": function(silu if config.swiglu else gelu),
        "attention_backend": {
            "_call_": True,
            "_target_": "megatron.core.transformer.enums.AttnBackend",
        },
        "params_dtype": function("torch.bfloat16"),
        "transformer_layer_spec": function(f"{GPT}.base.default_layer_spec"),
        "add_bias_linear": config.add_bias_linear,
        "add_qkv_bias": config.add_qkv_bias,
        "bias_activation_fusion": True,
        "ffn_hidden_size": config.ffn_hidden_size,
        "gated_linear_unit": config.swiglu,
        "hidden_size": config.hidden_size,
        "kv_channels": config.kv_channels,
        "layernorm_epsilon": config.norm_epsilon,
        "layernorm_zero_centered_gamma": False,
        "make_vocab_size_divisible_by": 128,
        "normalization": config.normalization,
        "num_attention_heads": config.num_attention_heads,
        "num_layers": config.num_layers,
        "num_query_groups": config.num_query_groups,
        "qk_layernorm": config.qk_layernorm,
        "seq_length": config.max_position_embeddings,
        "share_embeddings_and_output_weights": not config.untie_embeddings_and_output_weights,
        "vocab_size": None,
        "window_size": None,
    }


def rope_options(config: ModelConfig) -> dict[str, Any]:
    """The fields for positions."""
    found = {
        "position_embedding_type": config.position_embedding_type,
        "rotary_base": config.rotary_base,
        "rotary_percent": 1.0,
        "seq_len_interpolation_factor": None,
    }
    if not config.rope_scaling:
        return found
    return found | {
        "scale_factor": config.rope_scaling.factor,
        "low_freq_factor": 1,
        "high_freq_factor": 4,
        "old_context_len": config.rope_scaling.original_context,
    }


def expert_options(config: ModelConfig) -> dict[str, Any]:
    """The fields for experts."""
    if not config.experts:
        return {"num_moe_experts": None}
    return {
        "num_moe_experts": config.experts.count,
        "moe_router_topk": config.experts.per_token,
        "moe_ffn_hidden_size": config.experts.ffn_hidden_size,
        "moe_layer_freq": [int(sparse) for sparse in config.experts.layers],
        "moe_router_pre_softmax": not config.experts.normalized,
    }


def write_nemo(model: Any, config: ModelConfig, root: Path) -> None:
    """Write NeMo 2's two folders."""
    from megatron.core import dist_checkpointing
    from megatron.core.dist_checkpointing.mapping import ShardedObject

    context, weights = root / "context", root / "weights"
    tokenizer = context / "nemo_tokenizer"
    tokenizer.mkdir(parents=True)
    weights.mkdir()
    vocabulary = {f"token {number}": number for number in range(VOCABULARY - 1)}
    added = [{"id": VOCABULARY - 1, "content": "<end>"}]
    (tokenizer / "tokenizer.json").write_text(
        json.dumps({"model": {"type": "BPE", "vocab": vocabulary}, "added_tokens": added})
    )
    (context / "model.yaml").write_text(yaml.safe_dump(model_yaml(config)))
    (context / "io.json").write_text(json.dumps({"root": {}, "objects": {}, "version": "0.0.1"}))
    state = model.sharded_state_dict("module.", metadata={"non_homogeneous_layers": True})
    for part in state.values():
        if isinstance(part, ShardedObject):
            part.data = Intruder()
        elif config.experts and ".mlp.linear_fc1.layer_norm_" in part.key:
            layer = int(part.key.split(".layers.")[1].split(".")[0])
            if config.experts.layers[layer]:  # as Transformer Engine's layers of experts have it
                part.key = part.key.replace("mlp.linear_fc1.layer_norm_", "pre_mlp_layernorm.")
    common = {"pytorch-lightning_version": "2.5.0", "loops": Intruder(), "global_step": 1}
    dist_checkpointing.save({**state, **common}, str(weights))


def main(source: Path, out: Path) -> None:
    from megatron.core import dist_checkpointing, parallel_state

    from proctor_runtime.checkpoints import hugging_face, megatron
    from proctor_runtime.engine.megatron import cpu
    from proctor_runtime.engine.megatron.model import build_model

    cpu.accommodate()
    dist.init_process_group("gloo", rank=0, world_size=1, store=dist.HashStore())  # type: ignore[attr-defined]
    parallel_state.initialize_model_parallel()
    config = hugging_face.read_config(source, tensor=1)
    model = build_model(config, initialize=False)
    hugging_face.load(model, source)
    args = arguments(config)
    megatron.save(model, args, out / "megatron")
    write_nemo(model, config, out / "nemo")
    (out / "split-gate").mkdir()
    newer = model.sharded_state_dict(metadata={"singleton_local_shards": True})
    dist_checkpointing.save({**newer, "args": args}, str(out / "split-gate"))


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # Megatron-Core's, of what is not installed
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
