"""Attention over contiguous segments of the store, read where they lie.

Each part of a step's attention is one call: a sequence's new tokens among themselves, or all the
tokens that see one segment, however many sequences they belong to. Parts that the same token has
are merged by their softmax's normaliser, so a shared prefix is read once for everybody, nothing is
padded, and no mask is built. On CPUs this is faster than gathering what is scattered; on GPUs, with
a launch for every part, it is not (see `gathered`).
"""

import torch

from proctor_runtime.engine.megatron.packing import Packed, Part

attention_with_normaliser = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu


class SegmentAttention:
    """The attention of one step, the same for every layer but for its tensors."""

    def __init__(self, packed: Packed, scale: float) -> None:
        self.packed = packed
        self.scale = scale

    def __call__(self, mixed: torch.Tensor, layer: torch.Tensor) -> torch.Tensor:
        """Write ``[tokens, groups, queries + 2, channels]`` into the layer's slots, and attend."""
        write(mixed, layer, self.packed)
        first, *others = self.packed.levels
        out, normaliser = self._level(first.parts, mixed, layer, is_last=not others)
        for level in others:
            part, its_normaliser = self._level(level.parts, mixed, layer, is_last=False)
            merge(out, normaliser, part, its_normaliser, level.index)
        return out.flatten(1)

    def _level(
        self, parts: list[Part], mixed: torch.Tensor, layer: torch.Tensor, *, is_last: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return ``[tokens, groups, queries, channels]`` and ``[tokens, groups, queries]``."""
        found = [self._part(part, mixed, layer) for part in parts]
        out = torch.cat([out for out, _ in found]) if len(found) > 1 else found[0][0]
        if is_last:
            return out, out
        return out, torch.cat([normaliser for _, normaliser in found])

    def _part(
        self, part: Part, mixed: torch.Tensor, layer: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        start, end, segment = part
        if segment is None:
            return self._among_themselves(mixed[start:end])
        first, count = segment
        queries = mixed[start:end, :, :-2]
        tokens, groups, per_group, channels = queries.shape
        # Everybody sees all of it, so queries of different tokens and heads are all the same to it.
        out, normaliser = attention_with_normaliser(
            queries.transpose(0, 1).reshape(1, groups, tokens * per_group, channels),
            layer[0, None, :, first : first + count],
            layer[1, None, :, first : first + count],
            scale=self.scale,
        )
        shape = (groups, tokens, per_group)
        return (
            out.view(*shape, channels).transpose(0, 1),
            normaliser.reshape(shape).transpose(0, 1),
        )

    def _among_themselves(self, mixed: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Let successive tokens of a sequence attend to each other, causally."""
        tokens, groups, per_group, channels = mixed[:, :, :-2].shape
        out, normaliser = attention_with_normaliser(
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


def write(mixed: torch.Tensor, layer: torch.Tensor, packed: Packed) -> None:
    """Put the tokens' keys and values into their slots, then copy within them."""
    layer.index_copy_(2, packed.slots, mixed[:, :, -2:].permute(2, 1, 0, 3))
    if packed.copies is not None:
        sources, targets = packed.copies
        layer.index_copy_(2, targets, layer.index_select(2, sources))


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
