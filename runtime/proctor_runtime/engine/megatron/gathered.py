"""Attention over keys and values that are gathered from the store, by PyTorch's public function.

It runs on any device. All sequences that make one token are one batch, padded to the longest and
masked; a prompt's tokens, with what lies before them, are one call.
"""

from collections.abc import Sequence

import torch
from torch.nn import functional

from proctor_runtime.engine.megatron.kv_store import slots_of
from proctor_runtime.engine.megatron.portion import Portion
from proctor_runtime.engine.scheduling.step import Row


class GatheredAttention:
    """The attention of one step, the same for every layer but for its tensors."""

    def __init__(self, portion: Portion, scale: float) -> None:
        rows = list(zip(portion.starts, portion.rows, strict=True))
        device = portion.ids.device
        single = [(start, row) for start, row in rows if len(row.tokens) == 1]
        self._parts: list[Singles | Prompt] = [
            Prompt(start, row, scale, device) for start, row in rows if len(row.tokens) > 1
        ]
        if single:
            self._parts.append(Singles(single, scale, device))

    def exact(self) -> None:
        """Hold no better way: masked or not, a token reads its own sequence's slots only."""

    def __call__(self, mixed: torch.Tensor, layer: torch.Tensor) -> torch.Tensor:
        """Attend by ``[tokens, groups, queries + 2, channels]`` to the layer's slots."""
        out = torch.empty_like(mixed[:, :, :-2])
        for part in self._parts:
            out[part.tokens] = part(mixed, layer)
        return out.flatten(1)


class Singles:
    """Sequences' single next tokens, together."""

    def __init__(self, rows: Sequence[tuple[int, Row]], scale: float, device: torch.device) -> None:
        self.scale = scale
        self.tokens = torch.tensor([start for start, _ in rows], device=device)
        slots = [slots_of(row.segments) for _, row in rows]
        longest = max(map(len, slots))
        # The padding is a slot of the sequence's own: always a number, whatever others left behind.
        padded = [own + own[-1:] * (longest - len(own)) for own in slots]
        self._slots = torch.tensor(padded, device=device)
        lengths = torch.tensor([len(own) for own in slots], device=device)
        columns = torch.arange(longest, device=device)
        self._mask = (columns < lengths[:, None])[:, None, None]

    def __call__(self, mixed: torch.Tensor, layer: torch.Tensor) -> torch.Tensor:
        """Return ``[rows, groups, queries, channels]``."""
        keys, values = layer[:, :, self._slots].transpose(1, 2)
        queries = mixed[self.tokens][:, :, :-2]
        return functional.scaled_dot_product_attention(
            queries, keys, values, attn_mask=self._mask, scale=self.scale
        )


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
