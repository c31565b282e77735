"""How a rank's part of a Megatron parameter is made from a checkpoint's tensors.

A recipe names its sources and cuts from each what the rank holds, so that no rank reads more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from proctor_runtime.checkpoints.hugging_face.tensors import Tensors

EVERYTHING = slice(None)


@dataclass(frozen=True, slots=True)
class Share:
    """The `index`-th of `ways` equal parts."""

    index: int
    ways: int

    def of(self, size: int) -> slice:
        """Cut this part out of `size`, which `ways` divides."""
        part = size // self.ways
        return slice(self.index * part, (self.index + 1) * part)


@dataclass(frozen=True, slots=True)
class Source:
    """A stored tensor, or one of several stacked in it, as ``[output, input]`` or ``[output]``."""

    name: str
    transposed: bool = False
    """It is stored as ``[input, output]``."""
    part: tuple[int, int] = (0, 1)
    """Which of how many equal parts of the output it is."""

    def rows(self, tensors: Tensors) -> int:
        """Return its output size."""
        return tensors.shape(self.name)[-1 if self.transposed else 0] // self.part[1]

    def read(
        self, tensors: Tensors, rows: slice = EVERYTHING, columns: slice = EVERYTHING
    ) -> torch.Tensor:
        """Read some rows of some columns."""
        start = self.part[0] * self.rows(tensors)
        begin, end, _ = rows.indices(self.rows(tensors))
        cut = slice(start + begin, start + end)
        if self.transposed:
            return tensors.read(self.name, columns, cut).t()
        if len(tensors.shape(self.name)) == 1:
            return tensors.read(self.name, cut)
        return tensors.read(self.name, cut, columns)


class Recipe(Protocol):
    """How to make one parameter."""

    @property
    def sources(self) -> Sequence[Source]:
        """What it is made from."""
        ...

    def make(self, tensors: Tensors, share: Share) -> torch.Tensor:
        """Make the rank's part."""
        ...


@dataclass(frozen=True, slots=True)
class Whole:
    """Every rank has all of it."""

    source: Source

    @property
    def sources(self) -> Sequence[Source]:
        """What it is made from."""
        return (self.source,)

    def make(self, tensors: Tensors, share: Share) -> torch.Tensor:  # noqa: ARG002
        """Read it all."""
        return self.source.read(tensors)


@dataclass(frozen=True, slots=True)
class Rows:
    """Each rank has some outputs of each source, one source's after the other's."""

    sources: Sequence[Source]

    def make(self, tensors: Tensors, share: Share) -> torch.Tensor:
        """Read the rank's rows."""
        return torch.cat([s.read(tensors, share.of(s.rows(tensors))) for s in self.sources])


@dataclass(frozen=True, slots=True)
class Columns:
    """Each rank has some inputs of the source."""

    source: Source

    @property
    def sources(self) -> Sequence[Source]:
        """What it is made from."""
        return (self.source,)

    def make(self, tensors: Tensors, share: Share) -> torch.Tensor:
        """Read the rank's columns."""
        width = tensors.shape(self.source.name)[0 if self.source.transposed else 1]
        return self.source.read(tensors, columns=share.of(width))


@dataclass(frozen=True, slots=True)
class Attention:
    """Queries, keys and values, which Megatron keeps together group by group."""

    sources: Sequence[Source]
    groups: int

    def make(self, tensors: Tensors, share: Share) -> torch.Tensor:
        """Read the rank's groups, each the queries of its heads, its key and its value."""
        groups = share.of(self.groups)
        count = groups.stop - groups.start
        read = []
        for source in self.sources:
            size = source.rows(tensors) // self.groups
            part = source.read(tensors, slice(groups.start * size, groups.stop * size))
            read.append(part.reshape(count, size, *part.shape[1:]))
        return torch.cat(read, 1).flatten(0, 1)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Each rank has some tokens; beyond those that exist, rows of zeros make them divisible."""

    source: Source
    padded: int

    @property
    def sources(self) -> Sequence[Source]:
        """What it is made from."""
        return (self.source,)

    def make(self, tensors: Tensors, share: Share) -> torch.Tensor:
        """Read the rank's tokens."""
        wanted = share.of(self.padded)
        rows = self.source.read(tensors, wanted)
        padding = rows.new_zeros(self.padded // share.ways - len(rows), rows.shape[1])
        return torch.cat([rows, padding])
