"""What each token of a step looks at, in parts that sequences have in common."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from proctor_runtime.engine.scheduling.step import Row, Segment, head


@dataclass(frozen=True, slots=True)
class Grid:
    """Segments of single tokens, at multiples of `distance` from slot `first` on."""

    first: int
    distance: int
    cells: int
    longest: int
    used: torch.Tensor | None
    """Which cells are anybody's; None for all."""
    mask: torch.Tensor | None
    """``[cells, 1, 1, longest]``, minus infinity behind a segment's end; None if all are equal."""


@dataclass(frozen=True, slots=True)
class Part:
    """Attention of the tokens from `start` to `end`."""

    start: int
    end: int
    sees: Segment | Grid | None
    """A segment that all of them see whole; one of the grid's each; None: each other, causally."""


@dataclass(frozen=True, slots=True)
class Level:
    """Parts of the attention that do not overlap."""

    parts: list[Part]
    index: torch.Tensor | None
    """The tokens that take part; None for all."""


def levels(rows: Sequence[Row], device: torch.device) -> list[Level]:
    """Split the rows' attention into parts, and share those that rows have in common."""
    seen = [visible(row) for row in rows]
    found: list[Level] = []
    for depth in range(max(map(len, seen), default=0)):
        parts: list[Part] = []
        at = 0
        for row, segments in zip(rows, seen, strict=True):
            end = at + len(row.tokens)
            if depth < len(segments):
                extend(parts, Part(at, end, segments[depth]))
            at = end
        count = sum(part.end - part.start for part in parts)
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
    last = parts[-1] if parts else None
    if last and part.sees is not None and (last.end, last.sees) == (part.start, part.sees):
        parts[-1] = Part(last.start, part.end, part.sees)
    else:
        parts.append(part)


def index_of(parts: Sequence[Part], device: torch.device) -> torch.Tensor:
    """Return the tokens of some parts."""
    return torch.cat([torch.arange(part.start, part.end, device=device) for part in parts])
