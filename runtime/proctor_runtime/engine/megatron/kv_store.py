"""Keys and values of one rank's layers, in slots of one token each."""

import math
from collections.abc import Sequence

import numpy as np
import torch

from proctor_crds.reasons import Reason
from proctor_runtime.checkpoints.architecture import ModelConfig
from proctor_runtime.engine.options import EngineOptions
from proctor_runtime.failure import RejectedError

BLOCK_TOKENS = 16

CPU_DEFAULT_BYTES = 2 << 30
CUDA_DEFAULT_SHARE = 0.8
"""Of the memory that the weights leave free."""


class KvStore:
    """All slots of all layers, head by head: what lies in successive slots is read as it is."""

    def __init__(  # noqa: PLR0913 - the five sizes of a tensor
        self,
        *,
        layers: int,
        groups: int,
        slots: int,
        channels: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.slots = slots
        self.tensor = zeros((layers, 2, groups, slots, channels), dtype, device)

    def layer(self, number: int) -> torch.Tensor:
        """Return one layer's ``[2, groups, slots, channels]``: keys, then values."""
        return self.tensor[number]


def zeros(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Return zeros; on a CPU of memory that is not taken before it is written to.

    Raises `RejectedError` where there is not so much.
    """
    size = math.prod(shape) * dtype.itemsize
    try:
        if device.type != "cpu":
            return torch.zeros(shape, dtype=dtype, device=device)
        untouched = np.zeros(size, dtype=np.uint8)
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise RejectedError(
            Reason.KV_CACHE_TOO_LARGE,
            f"a KV cache of {size / (1 << 30):.3g} GiB for each rank cannot be allocated: set "
            f"engine.kvCacheGiB lower, or leave it out ({str(error).splitlines()[0]})",
        ) from error
    return torch.from_numpy(untouched).view(dtype).view(shape)


def slot_bytes(config: ModelConfig, dtype: torch.dtype, *, tensor: int, pipeline: int) -> int:
    """Return what one token takes in one rank's store."""
    groups = max(1, config.num_query_groups // tensor)
    layers = config.num_layers // pipeline
    return layers * 2 * groups * config.kv_channels * dtype.itemsize


def count_blocks(
    options: EngineOptions, longest: int, bytes_per_slot: int, free_bytes: int | None
) -> int:
    """Return how many blocks the budget has room for; `free_bytes` is a GPU's, None on CPUs.

    Without a budget it is what the largest batch of the longest sequences takes, or a bound.
    """
    block = bytes_per_slot * BLOCK_TOKENS
    if options.kv_cache_gib is not None:
        return max(1, int(options.kv_cache_gib * (1 << 30)) // block)
    bound = CPU_DEFAULT_BYTES if free_bytes is None else int(free_bytes * CUDA_DEFAULT_SHARE)
    wanted = options.max_batch_size * -(-longest // BLOCK_TOKENS)
    return max(1, min(wanted, bound // block))


def check_budget(budget_gib: float | None, longest: int, bytes_per_slot: int) -> None:
    """Refuse a budget that does not hold one sequence of `longest` tokens, naming one that does."""
    if budget_gib is None:
        return
    tokens = int(budget_gib * (1 << 30)) // (bytes_per_slot * BLOCK_TOKENS) * BLOCK_TOKENS
    needed = -(-longest // BLOCK_TOKENS) * BLOCK_TOKENS * bytes_per_slot / (1 << 30)
    enough = math.ceil(needed * 1000) / 1000
    if tokens < longest:
        raise RejectedError(
            Reason.KV_CACHE_TOO_SMALL,
            f"engine.kvCacheGiB {budget_gib:g} holds {tokens} tokens of this model, and sequences "
            f"may have {longest}: set it to {enough:.3f} or more, or lower "
            "engine.maxSequenceLength",
        )


def slots_of(segments: Sequence[tuple[int, int]]) -> list[int]:
    """List the segments' slots."""
    found: list[int] = []
    for start, count in segments:
        found.extend(range(start, start + count))
    return found


def write(
    kept: torch.Tensor,
    layer: torch.Tensor,
    slots: torch.Tensor,
    copies: tuple[torch.Tensor, torch.Tensor] | None,
) -> None:
    """Put the tokens' keys and values into their slots of a layer, then copy within it.

    `kept` is ``[tokens, groups, 2, channels]``: of each group the key and the value.
    """
    layer.index_copy_(2, slots, kept.permute(2, 1, 0, 3))
    if copies is not None:
        sources, targets = copies
        layer.index_copy_(2, targets, layer.index_select(2, sources))
