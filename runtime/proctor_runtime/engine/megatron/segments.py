"""Attention over contiguous segments of the store, read where they lie.

Each part of a step's attention is one call: a sequence's new tokens among themselves, or all the
tokens that see one segment, however many sequences they belong to. Parts that the same token has
are merged by their softmax's normaliser, so a shared prefix is read once for everybody, nothing is
padded, and no mask is built. On CPUs this is faster than gathering what is scattered; on GPUs, with
a launch for every part, it is not (see `gathered`).
"""

from collections.abc import Sequence

import torch

from proctor_runtime.engine.megatron.grids import grids
from proctor_runtime.engine.megatron.parts import Grid, Level, Part, levels
from proctor_runtime.engine.megatron.portion import Portion

attend = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default


class SegmentAttention:
    """The attention of one step, the same for every layer but for its tensors."""

    def __init__(self, portion: Portion, scale: float, levels: Sequence[Level]) -> None:
        self.portion = portion
        self.scale = scale
        self.levels = levels

    @classmethod
    def of(cls, portion: Portion, scale: float, slots: int) -> "SegmentAttention":
        """Plan a step's attention in a store of so many slots."""
        device = portion.ids.device
        planned = levels(portion.rows, device)
        return cls(
            portion, scale, [Level(grids(one.parts, slots, device), one.index) for one in planned]
        )

    @classmethod
    def apart(cls, portion: Portion, scale: float) -> "SegmentAttention":
        """Plan a step's attention without grids: tokens read their own slots only."""
        return cls(portion, scale, levels(portion.rows, portion.ids.device))

    def exact(self) -> "SegmentAttention | None":
        """Return the same without grids, whose tokens read their own slots only; None if it is."""
        if not any(isinstance(part.sees, Grid) for level in self.levels for part in level.parts):
            return None
        return self.apart(self.portion, self.scale)

    def __call__(self, mixed: torch.Tensor, layer: torch.Tensor) -> torch.Tensor:
        """Attend by ``[tokens, groups, queries + 2, channels]`` to the layer's slots."""
        keys, values = layer[0, None], layer[1, None]
        first, *others = self.levels
        out, normaliser = self._level(first.parts, mixed, keys, values)
        for level in others:
            part, its_normaliser = self._level(level.parts, mixed, keys, values)
            merge(out, normaliser, part, its_normaliser, level.index)
        return out.flatten(1)

    def _level(
        self, parts: list[Part], mixed: torch.Tensor, keys: torch.Tensor, values: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return ``[tokens, groups, queries, channels]`` and ``[tokens, groups, queries]``."""
        found = [self._part(part, mixed, keys, values) for part in parts]
        if len(found) == 1:
            return found[0]
        return torch.cat([out for out, _ in found]), torch.cat([part for _, part in found])

    def _part(
        self, part: Part, mixed: torch.Tensor, keys: torch.Tensor, values: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        mixed = mixed[part.start : part.end]
        if part.sees is None:
            return self._among_themselves(mixed)
        queries = mixed[:, :, :-2]
        if isinstance(part.sees, Grid):
            return self._grid(part.sees, queries, keys, values)
        keys, values = keys.narrow(2, *part.sees), values.narrow(2, *part.sees)
        return self._segment(queries, keys, values)

    def _segment(
        self, queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Let all queries see all of one segment."""
        tokens, groups, per_group, channels = queries.shape
        if tokens == 1:
            return attend(queries, keys, values, scale=self.scale)  # type: ignore[no-any-return]
        # To the segment, queries of different tokens and heads are all the same.
        queries = queries.transpose(0, 1).reshape(1, groups, tokens * per_group, channels)
        out, normaliser = attend(queries, keys, values, scale=self.scale)
        shape = (groups, tokens, per_group)
        return (
            out.view(*shape, channels).transpose(0, 1),
            normaliser.reshape(shape).transpose(0, 1),
        )

    def _grid(
        self, grid: Grid, queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Let each token see its own segment."""
        if grid.used is not None:
            spread = queries.new_zeros(grid.cells, *queries.shape[1:])
            queries = spread.index_copy_(0, grid.used, queries)
        out, normaliser = attend(
            queries, cells(keys, grid), cells(values, grid), attn_mask=grid.mask, scale=self.scale
        )
        if grid.used is not None:
            return out[grid.used], normaliser[grid.used]
        return out, normaliser

    def _among_themselves(self, mixed: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Let successive tokens of a sequence attend to each other, causally."""
        tokens, groups, per_group, channels = mixed[:, :, :-2].shape
        out, normaliser = attend(
            mixed[:, :, :-2].permute(1, 2, 0, 3).reshape(1, groups * per_group, tokens, channels),
            mixed[None, :, :, -2].transpose(1, 2),
            mixed[None, :, :, -1].transpose(1, 2),
            is_causal=True,
            scale=self.scale,
        )
        shape = (groups, per_group, tokens)
        return out.view(*shape, channels).permute(2, 0, 1, 3), normaliser.reshape(shape).permute(
            2, 0, 1
        )


def cells(slots: torch.Tensor, grid: Grid) -> torch.Tensor:
    """View ``[1, groups, slots, channels]`` as ``[cells, groups, longest, channels]``."""
    _, groups, _, channels = slots.shape
    _, by_group, by_slot, by_channel = slots.stride()
    return slots.as_strided(
        (grid.cells, groups, grid.longest, channels),
        (grid.distance * by_slot, by_group, by_slot, by_channel),
        slots.storage_offset() + grid.first * by_slot,
    )


def merge(
    out: torch.Tensor,
    normaliser: torch.Tensor,
    part: torch.Tensor,
    its_normaliser: torch.Tensor,
    index: torch.Tensor | None,
) -> None:
    """Merge a part of the attention of the tokens `index` into what they have, in place."""
    before = normaliser if index is None else normaliser[index]
    total = torch.logaddexp(before, its_normaliser)
    kept = out if index is None else out[index]
    merged = kept * (before - total).exp()[..., None].to(out.dtype)
    merged += part * (its_normaliser - total).exp()[..., None].to(out.dtype)
    if index is None:
        out.copy_(merged)
        normaliser.copy_(total)
    else:
        out[index] = merged
        normaliser[index] = total
