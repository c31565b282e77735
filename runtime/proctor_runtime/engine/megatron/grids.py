"""Segments at equal distances, which attention can take as one batch without gathering them.

Sequences that generate lie in lanes (`BlockPool.take`), so many of a step's segments are such.
"""

from collections.abc import Sequence

import torch

from proctor_runtime.engine.megatron.parts import Grid, Part

LEAST = 4
"""Segments that are worth one call together."""

SPARSEST = 2
"""Cells for each that is used."""

MOST_WASTE = 3
"""Slots read for each that is seen."""


def grids(parts: Sequence[Part], slots: int, device: torch.device) -> list[Part]:
    """Put single tokens' segments that lie in a grid into one part; `slots` there are in all."""
    found: list[Part] = []
    at = 0
    while at < len(parts):
        chain = chain_from(parts, at)
        grid = grid_of(chain, slots, device) if len(chain) >= LEAST else None
        if grid is None:
            found.append(parts[at])
            at += 1
        else:
            found.append(Part(chain[0].start, chain[-1].end, grid))
            at += len(chain)
    return found


def chain_from(parts: Sequence[Part], at: int) -> list[Part]:
    """Return successive parts, from one on, whose segments lie at multiples of one distance."""
    chain: list[Part] = []
    first = last = distance = 0
    for part in parts[at:]:
        if not isinstance(part.sees, tuple) or part.end - part.start != 1:
            break
        start = part.sees[0]
        if not chain:
            first = start
        elif part.start != chain[-1].end or start <= last:
            break
        elif not distance:
            distance = start - first
        elif (start - first) % distance or start - first >= SPARSEST * distance * (len(chain) + 1):
            break
        chain.append(part)
        last = start
    return chain


def grid_of(chain: Sequence[Part], slots: int, device: torch.device) -> Grid | None:
    """Return the grid that a chain's segments lie in, if it wastes little."""
    segments = [part.sees for part in chain if isinstance(part.sees, tuple)]
    first = segments[0][0]
    distance = segments[1][0] - first
    places = [(start - first) // distance for start, _ in segments]
    lengths = [length for _, length in segments]
    cells, longest = places[-1] + 1, max(lengths)
    if first + (cells - 1) * distance + longest > slots:
        return None
    if cells * longest > MOST_WASTE * sum(lengths):
        return None
    used = None if cells == len(places) else torch.tensor(places, device=device)
    ends = [longest] * cells  # of unused cells: a softmax over nothing is not a number
    for place, length in zip(places, lengths, strict=True):
        ends[place] = length
    return Grid(first, distance, cells, longest, used, mask_of(ends, longest, device))


def mask_of(ends: Sequence[int], longest: int, device: torch.device) -> torch.Tensor | None:
    """Return what hides the slots behind each end."""
    if min(ends) == longest:
        return None
    columns = torch.arange(longest, device=device)
    hidden = columns >= torch.tensor(ends, device=device)[:, None]
    return torch.zeros(hidden.shape, device=device).masked_fill_(hidden, float("-inf"))[
        :, None, None
    ]
