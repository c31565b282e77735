"""Which of a step's tokens a context parallel rank computes.

The packed tokens are cut into twice as many pieces as there are ranks, and a rank gets a piece
from either end: of a long prompt, whose later tokens see more than its earlier ones, all ranks get
as much to attend to. A piece of a row is a row: what lies before it is in the store by then, for
every rank writes the keys and values of all tokens.
"""

from dataclasses import dataclass, replace
from itertools import accumulate

import torch
from torch.nn import functional

from proctor_runtime.engine.megatron.packing import Packed
from proctor_runtime.engine.scheduling.step import Row, head

Span = tuple[int, int]
"""From which packed token to which."""


@dataclass(frozen=True, slots=True)
class Ways:
    """Over how many context parallel ranks tokens are dealt, and which of them this one is."""

    count: int = 1
    index: int = 0
    multiple: int = 1
    """What a rank's tokens must be a multiple of: padding, which nobody sees, makes them so."""


@dataclass(frozen=True, slots=True)
class Portion:
    """One rank's tokens, padded to as many as every other rank's."""

    rows: list[Row]
    """What is wanted of them stays the whole step's to say."""
    starts: list[int]
    """Where each of them begins."""
    ids: torch.Tensor
    positions: torch.Tensor
    size: int
    """How many of the tokens are no padding; they come first."""
    places: torch.Tensor | None
    """Of each of the step's tokens, its place among all ranks' tokens; None with one rank."""

    def in_order(self, everybodys: torch.Tensor) -> torch.Tensor:
        """Turn the tokens of all ranks, one rank's after the other's, into the step's."""
        return everybodys[: self.size] if self.places is None else everybodys[self.places]


def portion_of(packed: Packed, ways: Ways) -> Portion:
    """Cut a rank's portion out of a step."""
    tokens = len(packed.ids)
    if ways.count == 1 and tokens % ways.multiple == 0:
        return Portion(packed.rows, packed.starts, packed.ids, packed.positions, tokens, None)
    piece = piece_size(tokens, ways)
    spans = spans_of(tokens, piece, ways)
    rows = [part for span in spans for part in rows_in(packed, span)]
    *starts, size = accumulate((len(row.tokens) for row in rows), initial=0)
    padding = piece * (1 if ways.count == 1 else 2) - size

    def own(whole: torch.Tensor) -> torch.Tensor:
        parts = torch.cat([whole[start:end] for start, end in spans])
        return functional.pad(parts, (0, padding)) if padding else parts

    places = None if ways.count == 1 else places_of(tokens, piece, ways.count, packed.ids.device)
    return Portion(rows, starts, own(packed.ids), own(packed.positions), size, places)


def piece_size(tokens: int, ways: Ways) -> int:
    """Return the size of each piece, the last of which may lack tokens."""
    pieces = 1 if ways.count == 1 else 2 * ways.count
    each = -(-tokens // pieces)
    return -(-each // ways.multiple) * ways.multiple


def spans_of(tokens: int, piece: int, ways: Ways) -> list[Span]:
    """Return what the rank computes."""
    numbers = (0,) if ways.count == 1 else (ways.index, 2 * ways.count - 1 - ways.index)
    return [(min(n * piece, tokens), min((n + 1) * piece, tokens)) for n in numbers]


def rows_in(packed: Packed, span: Span) -> list[Row]:
    """Return what a span holds of the rows."""
    found = []
    for row, at in zip(packed.rows, packed.starts, strict=True):
        start, end = max(span[0] - at, 0), min(span[1] - at, len(row.tokens))
        if start < end:
            found.append(part_of(row, start, end))
    return found


def part_of(row: Row, start: int, end: int) -> Row:
    """Return a row of some of a row's tokens, behind those before them."""
    seen = head(row.segments, row.position + end)
    position = row.position + start
    return replace(
        row,
        tokens=row.tokens[start:end],
        position=position,
        segments=seen,
        targets=(),
        samples=False,
    )


def places_of(tokens: int, piece: int, count: int, device: torch.device) -> torch.Tensor:
    """Return the place of each token among those of all ranks, one rank's after the other's."""
    token = torch.arange(tokens, device=device)
    number = token // piece
    late = number >= count
    rank = torch.where(late, 2 * count - 1 - number, number)
    return rank * 2 * piece + late * piece + token % piece
