"""One step as a rank computes it, and what each of its layers does with keys and values."""

from dataclasses import dataclass
from typing import Protocol

import torch

from proctor_runtime.engine.megatron.collectives import of_all_contexts
from proctor_runtime.engine.megatron.kv_store import write
from proctor_runtime.engine.megatron.packing import Packed
from proctor_runtime.engine.megatron.portion import Portion


class StepAttention(Protocol):
    """How the rows of one step attend, in any layer."""

    def __call__(self, mixed: torch.Tensor, layer: torch.Tensor) -> torch.Tensor:
        """Attend by ``[tokens, groups, queries + 2, channels]`` to the layer's slots.

        The tokens' own keys and values are in their slots by then.
        """
        ...

    def exact(self) -> "StepAttention | None":
        """Return a slower way that reads nothing but a sequence's own slots; None if this is."""
        ...


@dataclass(frozen=True, slots=True)
class Work:
    """One step as this rank computes it."""

    packed: Packed
    portion: Portion
    attention: StepAttention

    def keep_and_attend(self, mixed: torch.Tensor, layer: torch.Tensor) -> torch.Tensor:
        """Put everybody's keys and values into the layer's slots; attend with this rank's tokens.

        `mixed` is ``[tokens, groups, queries + 2, channels]``, the result ``[tokens, groups *
        queries * channels]``, zeros for padding.
        """
        portion = self.portion
        keep = mixed[:, :, -2:]
        if portion.places is not None:
            keep = of_all_contexts(keep)
        write(portion.in_order(keep), layer, self.packed.slots, self.packed.copies)
        if portion.size == len(mixed):
            return self.attention(mixed, layer)
        out = torch.zeros_like(mixed[:, :, :-2]).flatten(1)
        if portion.size:
            out[: portion.size] = self.attention(mixed[: portion.size], layer)
        return out
