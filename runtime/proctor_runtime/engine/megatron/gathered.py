"""Attention over keys and values that are gathered from the store, by PyTorch's public function.

It runs on any device. Sequences that make one token and are about as long are one batch, padded to
the longest and masked; a prompt's tokens, with what lies before them, are one call.
"""

from collections.abc import Iterator, Sequence

import torch
from torch.nn import functional

from proctor_runtime.engine.megatron.kv_store import slots_of
from proctor_runtime.engine.megatron.portion import Portion
from proctor_runtime.engine.scheduling.step import Row

FEW_SLOTS = 256
"""Rows that see no more are alike: to pad them costs less than to compute them apart."""
MOST_SLOTS = 1 << 17
"""That are copied at once, padding included: of an 8B model about half a gigabyte a layer."""
Start = tuple[int, Row]
"""A row, and where its tokens begin."""


class GatheredAttention:
    """The attention of one step, the same for every layer but for its tensors."""

    def __init__(self, portion: Portion, scale: float) -> None:
        rows = list(zip(portion.starts, portion.rows, strict=True))
        device = portion.ids.device
        single = [(start, row) for start, row in rows if len(row.tokens) == 1]
        self._parts: list[Singles | Prompt] = [
            Prompt(start, row, scale, device) for start, row in rows if len(row.tokens) > 1
        ]
        self._parts += [Singles.of(alike, scale, device) for alike in batches(single)]

    def exact(self) -> None:
        """Hold no better way: masked or not, a token reads its own sequence's slots only."""

    def __call__(self, mixed: torch.Tensor, layer: torch.Tensor) -> torch.Tensor:
        """Attend by ``[tokens, groups, queries + 2, channels]`` to the layer's slots."""
        out = torch.empty_like(mixed[:, :, :-2])
        for part in self._parts:
            out[part.tokens] = part(mixed, layer)
        return out.flatten(1)


class StaticAttention:
    """Attention of single tokens alone, by tensors that are filled for each step anew."""

    def __init__(self, singles: "Singles") -> None:
        self._singles = singles

    def exact(self) -> None:
        """Hold no better way."""

    def __call__(self, mixed: torch.Tensor, layer: torch.Tensor) -> torch.Tensor:
        """Attend by ``[tokens, groups, queries + 2, channels]`` to the layer's slots."""
        return self._singles(mixed, layer).flatten(1)


class Singles:
    """Sequences' single next tokens, together."""

    def __init__(
        self, tokens: torch.Tensor, slots: torch.Tensor, mask: torch.Tensor, scale: float
    ) -> None:
        self.tokens = tokens
        self._slots = slots
        self._mask = mask
        self._scale = scale

    @classmethod
    def of(cls, rows: Sequence[Start], scale: float, device: torch.device) -> "Singles":
        """Gather what these rows see, which begin at these tokens."""
        tokens = torch.tensor([start for start, _ in rows], device=device)
        longest = max(row.position + 1 for _, row in rows)
        slots, mask = padded_slots([row for _, row in rows], longest, device)
        return cls(tokens, slots, mask, scale)

    def __call__(self, mixed: torch.Tensor, layer: torch.Tensor) -> torch.Tensor:
        """Return ``[rows, groups, queries, channels]``."""
        keys, values = layer[:, :, self._slots].transpose(1, 2)
        queries = mixed[self.tokens][:, :, :-2]
        return functional.scaled_dot_product_attention(
            queries, keys, values, attn_mask=self._mask, scale=self._scale
        )


def batches(rows: Sequence[Start]) -> Iterator[list[Start]]:
    """Part rows of one token so that at most half of what is gathered for a batch is padding.

    Padded to the longest of all, one long sequence would cost as much as if all were so long.
    """
    batch: list[Start] = []
    for start, row in sorted(rows, key=lambda one: one[1].position):
        if batch and not fits(batch, row.position + 1):
            yield batch
            batch = []
        batch.append((start, row))
    if batch:
        yield batch


def fits(batch: Sequence[Start], longest: int) -> bool:
    """Whether a row that sees so many slots belongs to a batch of none that see more."""
    shortest = batch[0][1].position + 1
    return longest <= max(FEW_SLOTS, 2 * shortest) and longest * (len(batch) + 1) <= MOST_SLOTS


def padded_slots(
    rows: Sequence[Row], longest: int, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the slots that rows of one token see, ``[rows, longest]``, and which are no padding.

    The padding is a slot of the sequence's own: always a number, whatever others left behind.
    """
    slots = [slots_of(row.segments) for row in rows]
    padded = [own + own[-1:] * (longest - len(own)) for own in slots]
    lengths = torch.tensor([len(own) for own in slots], device=device)
    columns = torch.arange(longest, device=device)
    mask = (columns < lengths[:, None])[:, None, None]
    return torch.tensor(padded, device=device), mask


class Prompt:
    """Successive tokens of one sequence, with what lies before them."""

    def __init__(self, start: int, row: Row, scale: float, device: torch.device) -> None:
        self.scale = scale
        count = len(row.tokens)
        self.tokens = slice(start, start + count)
        self._slots = torch.tensor(slots_of(row.segments), device=device)
        columns = torch.arange(len(self._slots), device=device)
        self._mask = (
            columns <= torch.arange(row.position, row.position + count, device=device)[:, None]
        )

    def __call__(self, mixed: torch.Tensor, layer: torch.Tensor) -> torch.Tensor:
        """Return ``[tokens, groups, queries, channels]``."""
        queries = mixed[self.tokens, :, :-2]
        tokens, groups, per_group, channels = queries.shape
        keys, values = layer[:, None, :, self._slots]
        # A group's queries go through the same keys: as more tokens, they need no copies of them.
        out = functional.scaled_dot_product_attention(
            queries.permute(1, 2, 0, 3).reshape(1, groups, per_group * tokens, channels),
            keys,
            values,
            attn_mask=self._mask.repeat(per_group, 1),
            scale=self.scale,
        )
        return out.view(groups, per_group, tokens, channels).permute(2, 0, 1, 3)
