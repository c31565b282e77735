"""One rank of a model: ``python -m tests.runtime.checkpoints.rank PLAN RANK``.

PLAN is JSON: how the ranks are split, and the checkpoints that they load one after the other. The
last stage writes each one's logits.
"""

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from tests.runtime.checkpoints.models import LENGTH, inputs


def main(plan: dict[str, Any], rank: int) -> None:
    from megatron.core import parallel_state

    from proctor_runtime.engine.megatron import cpu

    cpu.accommodate()
    torch.set_num_threads(1)
    tensor, pipeline, expert = plan["tensor"], plan["pipeline"], plan["expert"]
    world = max(tensor * pipeline, expert)
    store = dist.FileStore(plan["store"], world)  # type: ignore[attr-defined]
    dist.init_process_group("gloo", rank=rank, world_size=world, store=store)
    parallel_state.initialize_model_parallel(
        tensor,
        pipeline,
        expert_model_parallel_size=expert,
        expert_tensor_parallel_size=1 if expert > 1 else None,
    )
    for name, checkpoint in plan["checkpoints"].items():
        logits = compute(plan, **checkpoint)
        if rank == world - 1 and logits is not None:
            torch.save(logits, Path(plan["out"]) / f"{name}.pt")
    dist.barrier()


def compute(plan: dict[str, Any], path: str, format: str) -> torch.Tensor | None:  # noqa: A002
    """Load one checkpoint and run it once over the inputs, whole."""
    from megatron.core import parallel_state

    from proctor_runtime.engine.megatron.model import build_model
    from proctor_runtime.engine.megatron.parallelism import Parallelism
    from proctor_runtime.engine.megatron.source import ModelSource

    split = Parallelism(tensor=plan["tensor"], pipeline=plan["pipeline"])
    source = ModelSource(
        checkpoint=Path(path), format=format, max_sequence_length=64, parallelism=split
    )
    config = source.read_config()
    model = build_model(config, initialize=False)
    for parameter in model.parameters():
        parameter.data.fill_(torch.nan)  # what is not loaded shows
    source.load(model)
    ids, positions = inputs(), torch.arange(LENGTH).expand(3, -1)
    if not parallel_state.is_pipeline_first_stage():
        hidden = torch.empty(LENGTH, 3, config.hidden_size)
        dist.recv(hidden, parallel_state.get_pipeline_model_parallel_prev_rank())
        model.set_input_tensor(hidden)
    with torch.inference_mode():
        out: torch.Tensor = model(ids, positions, None, runtime_gather_output=True)
    if not parallel_state.is_pipeline_last_stage():
        dist.send(out.contiguous(), parallel_state.get_pipeline_model_parallel_next_rank())
        return None
    return out[..., : config.vocab_size].clone()


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # Megatron-Core's, of what is not installed
    main(json.loads(Path(sys.argv[1]).read_text()), int(sys.argv[2]))
