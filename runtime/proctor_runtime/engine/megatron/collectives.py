"""What the ranks of one pipeline stage give each other within a layer.

Tensor parallel ranks have parts of the weights. Between layers they all hold the same tokens; or,
where tokens are split (Megatron's sequence parallelism), each holds an equal part of them. Context
parallel ranks have the same weights, and tokens of their own.
"""

from dataclasses import dataclass

import torch
from megatron.core import parallel_state
from megatron.core.tensor_parallel import (
    gather_from_sequence_parallel_region,
    reduce_from_tensor_model_parallel_region,
    reduce_scatter_to_sequence_parallel_region,
)


@dataclass(frozen=True, slots=True)
class TensorRanks:
    """This rank among the tensor parallel ones; alone, nothing is exchanged."""

    count: int = 1
    index: int = 0
    split_tokens: bool = False

    @classmethod
    def of(cls, *, split_tokens: bool) -> "TensorRanks":
        """Read them from the groups that are set up."""
        return cls(
            parallel_state.get_tensor_model_parallel_world_size(),
            parallel_state.get_tensor_model_parallel_rank(),
            split_tokens,
        )

    def own(self, tokens: torch.Tensor) -> torch.Tensor:
        """Cut out what this rank holds between layers of ``[tokens, ...]``."""
        if not self.split_tokens:
            return tokens
        return tokens.chunk(self.count)[self.index]

    def gather(self, own: torch.Tensor) -> torch.Tensor:
        """Return all tokens, before a product with this rank's columns."""
        if not self.split_tokens:
            return own
        gathered: torch.Tensor = gather_from_sequence_parallel_region(own)
        return gathered

    def reduce(self, partial: torch.Tensor) -> torch.Tensor:
        """Return what this rank holds of the sum over all ranks, after products with its rows."""
        if self.count == 1:
            return partial
        over = (
            reduce_scatter_to_sequence_parallel_region
            if self.split_tokens
            else reduce_from_tensor_model_parallel_region
        )
        total: torch.Tensor = over(partial)
        return total


def of_all_contexts(own: torch.Tensor) -> torch.Tensor:
    """Return the tokens of all context parallel ranks, one rank's after the other's."""
    group = parallel_state.get_context_parallel_group()
    gathered: torch.Tensor = gather_from_sequence_parallel_region(own, group=group)
    return gathered
