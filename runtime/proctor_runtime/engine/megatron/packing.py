"""A step as tensors: its rows one after the other, and what each must look at."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from proctor_runtime.engine.megatron.kv_store import slots_of
from proctor_runtime.engine.scheduling.step import Row, Segment, Step, head

Part = tuple[int, int, Segment | None]
"""Tokens from and to, and the segment that all of them see whole; None: each other, causally."""


@dataclass(frozen=True, slots=True)
class Level:
    """Parts of the attention that do not overlap."""

    parts: list[Part]
    index: torch.Tensor | None
    """The tokens that take part; None for all."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A step's tokens ``[tokens]``, in the order of `order`."""

    order: list[int]
    """Which of the step's rows stands where."""
    starts: list[int]
    """Where each of them begins."""
    ids: torch.Tensor
    positions: torch.Tensor
    slots: torch.Tensor
    """Where each token's keys and values go."""
    copies: tuple[torch.Tensor, torch.Tensor] | None
    """Slots to copy from and to."""
    levels: list[Level]


def pack(step: Step, device: torch.device) -> Packed:
    """Lay a step's rows out so that those that begin alike are neighbours."""
    order = sorted(range(len(step.rows)), key=lambda at: step.rows[at].segments)
    rows = [step.rows[at] for at in order]
    ids: list[int] = []
    positions: list[int] = []
    slots: list[int] = []
    starts: list[int] = []
    for row in rows:
        starts.append(len(ids))
        ids.extend(row.tokens)
        positions.extend(range(row.position, row.position + len(row.tokens)))
        slots.extend(slots_of(row.written))
    whole = torch.tensor([ids, positions, slots], device=device)
    return Packed(
        order, starts, whole[0], whole[1], whole[2], copies(step, device), levels(rows, device)
    )


def copies(step: Step, device: torch.device) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Return the slots to copy from and to."""
    if not step.copies:
        return None
    origins: dict[int, int] = {}
    for copy in step.copies:
        for source, target in zip(copy.sources, copy.targets, strict=True):
            # All are copied at once, so what is copied from a copy comes from the original.
            origins[target] = origins.get(source, source)
    sources, targets = list(origins.values()), list(origins)
    return torch.tensor(sources, device=device), torch.tensor(targets, device=device)


def levels(rows: Sequence[Row], device: torch.device) -> list[Level]:
    """Split the rows' attention into parts, and share those that rows have in common."""
    seen = [visible(row) for row in rows]
    found: list[Level] = []
    for depth in range(max(map(len, seen))):
        parts: list[Part] = []
        at = 0
        for row, segments in zip(rows, seen, strict=True):
            end = at + len(row.tokens)
            if depth < len(segments):
                extend(parts, (at, end, segments[depth]))
            at = end
        count = sum(end - start for start, end, _ in parts)
        index = None if count == at else index_of(parts, device)
        found.append(Level(parts, index))
    return found


def visible(row: Row) -> list[Segment | None]:
    """List what a row's tokens see: what lies before them, then themselves."""
    if len(row.tokens) == 1:
        return list(row.segments)
    return [*head(row.segments, row.position), None]


def extend(parts: list[Part], part: Part) -> None:
    """Add a part, to the one before it where both see the same segment."""
    start, end, segment = part
    if parts and segment is not None and parts[-1][1:] == (start, segment):
        parts[-1] = (parts[-1][0], end, segment)
    else:
        parts.append(part)


def index_of(parts: Sequence[Part], device: torch.device) -> torch.Tensor:
    """Return the tokens of some parts."""
    return torch.cat([torch.arange(start, end, device=device) for start, end, _ in parts])
