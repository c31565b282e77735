"""Megatron-Core in one process: its groups, each of one rank."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch.distributed as dist
from megatron.core import parallel_state


@contextmanager
def single_process() -> Iterator[None]:
    """Set up the groups that Megatron-Core asks for, and give them up at the end."""
    store = dist.HashStore()  # type: ignore[attr-defined] # torch re-exports it implicitly
    dist.init_process_group("gloo", rank=0, world_size=1, store=store)
    parallel_state.initialize_model_parallel()
    try:
        yield
    finally:
        parallel_state.destroy_model_parallel()
        dist.destroy_process_group()
