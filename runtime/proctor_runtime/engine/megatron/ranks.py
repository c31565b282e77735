"""The processes that a model is split over, and how they keep in step.

Rank 0 serves; every other rank repeats what rank 0 runs. Activations travel by NCCL between GPUs
and by gloo between CPUs; steps and their results are small and travel by a gloo group of their own.
"""

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from megatron.core import parallel_state
from torch.distributed.distributed_c10d import Store

from proctor_runtime.engine.megatron import cpu
from proctor_runtime.engine.megatron.parallelism import Parallelism

# An idle model waits for its next step as long as it takes; a rank that dies is noticed by its
# parent (followers.py) and by its broken connections, not by a clock.
PATIENCE = timedelta(days=365)

Shared = TypeVar("Shared")


@dataclass(frozen=True)
class Ranks:
    """This process's place among them, after `join`."""

    rank: int
    size: int
    last_stage: int
    """The first rank of the last pipeline stage: it has the logits."""
    control: Any

    @classmethod
    def join(cls, rank: int, split: Parallelism, store: Store) -> "Ranks":
        """Meet the other ranks at `store` and set up Megatron-Core's groups."""
        cpu.accommodate()
        cpu.limit_threads(split.ranks)
        backend = "gloo"
        if torch.cuda.is_available():
            torch.cuda.set_device(rank % torch.cuda.device_count())
            backend = "nccl"
        # The ranks of one node need no network but this, and a pod's host name may not resolve.
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        size = split.ranks
        dist.init_process_group(backend, rank=rank, world_size=size, store=store, timeout=PATIENCE)
        parallel_state.initialize_model_parallel(
            split.tensor,
            split.pipeline,
            context_parallel_size=split.context,
            expert_model_parallel_size=split.expert,
            expert_tensor_parallel_size=split.expert_tensor_size,
        )
        control = dist.new_group(backend="gloo", timeout=PATIENCE) if size > 1 else None
        return cls(rank, size, size - split.stage_ranks, control)

    def share(self, value: Shared | None) -> Shared:
        """Give every rank what the last stage's first rank has."""
        shared: Shared = self._broadcast(value, self.last_stage)
        return shared

    def agree(self, value: Shared) -> Shared:
        """Give every rank what rank 0 has."""
        agreed: Shared = self._broadcast(value, 0)
        return agreed

    def least(self, value: int) -> int:
        """Return the least of what the ranks have."""
        found = torch.tensor([value])
        if self.size > 1:
            dist.all_reduce(found, dist.ReduceOp.MIN, group=self.control)
        return int(found)

    def _broadcast(self, value: Any, source: int) -> Any:
        if self.size == 1:
            return value
        box = [value if self.rank == source else None]
        dist.broadcast_object_list(box, src=source, group=self.control, device=cpu.CPU)
        return box[0]


def leave() -> None:
    """Give the groups up, as far as they were set up."""
    parallel_state.destroy_model_parallel()
    if dist.is_initialized():
        dist.destroy_process_group()
