"""Steps in which every sequence makes one token, replayed as CUDA graphs.

Such a step is a few hundred small kernels, and launching them takes longer than computing them. A
graph launches them all at once, but always the same ones, on tensors in the same places: so there
is one for each shape (rows, and slots that each row sees), and a step is copied into the smallest
that it fits. Each graph is held against its own kernels, launched one by one, before it is used;
after the first that cannot be captured, or computes anything else, there are none any more.
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch

from proctor_runtime.engine.megatron.gathered import Singles, StaticAttention, padded_slots
from proctor_runtime.engine.megatron.packing import Packed
from proctor_runtime.engine.megatron.portion import Portion
from proctor_runtime.engine.megatron.work import Work

logger = logging.getLogger(__name__)

FEWEST_SLOTS = 128
MOST_SLOTS = 1 << 17
"""Of all rows together; to read more takes longer than to launch what reads it."""
TOLERANCE = 1e-2
"""Of the largest hidden state: the kernels are the same, and so should be what they compute."""

Compute = Callable[[], torch.Tensor]
Capture = Callable[[Compute], Compute]
"""Makes a computation, which it may run, into one that computes the same again."""


class Shape(NamedTuple):
    """How large a graph is."""

    rows: int
    slots: int

    @classmethod
    def of(cls, packed: Packed) -> "Shape | None":
        """Return the shape that a step fits; None for a step of which no graph is made."""
        if packed.copies or any(len(row.tokens) > 1 for row in packed.rows):
            return None
        longest = max(row.position + 1 for row in packed.rows)
        shape = cls(power_of_two(len(packed.rows)), max(FEWEST_SLOTS, power_of_two(longest)))
        return shape if shape.rows * shape.slots <= MOST_SLOTS else None


def power_of_two(number: int) -> int:
    """Return the least that is not below a positive number."""
    return 1 << (number - 1).bit_length()


class StaticStep:
    """A step whose tensors stay where they are."""

    def __init__(self, shape: Shape, scale: float, device: torch.device) -> None:
        rows = torch.arange(shape.rows, device=device)
        self.shape = shape
        self._ids, self._positions, self._written = torch.zeros(
            (3, shape.rows), dtype=torch.long, device=device
        )
        self._seen = torch.zeros(tuple(shape), dtype=torch.long, device=device)
        self._mask = torch.zeros((shape.rows, 1, 1, shape.slots), dtype=torch.bool, device=device)
        packed = Packed([], [], [], self._ids, self._positions, self._written, None)
        portion = Portion([], [], self._ids, self._positions, shape.rows, None)
        attention = StaticAttention(Singles(rows, self._seen, self._mask, scale))
        self.work = Work(packed, portion, attention)

    def load(self, packed: Packed) -> None:
        """Take over a step; rows that are too many repeat the first, and write what it writes."""
        count = len(packed.rows)
        repeated = [*range(count), *[0] * (self.shape.rows - count)]
        rows = torch.tensor(repeated, device=packed.ids.device)
        self._ids.copy_(packed.ids[rows])
        self._positions.copy_(packed.positions[rows])
        self._written.copy_(packed.slots[rows])
        seen, mask = padded_slots(packed.rows, self.shape.slots, packed.ids.device)
        self._seen.copy_(seen[rows])
        self._mask.copy_(mask[rows])


class Graphs:
    """A graph for each shape that has come up."""

    def __init__(
        self, compute: Callable[[Work], torch.Tensor], scale: float, capture: Capture
    ) -> None:
        self.fault = ""
        """Why there are none any more; empty while they are in use."""
        self._compute = compute
        self._scale = scale
        self._capture = capture
        self._made: dict[Shape, tuple[StaticStep, Compute]] = {}

    def __call__(self, packed: Packed) -> torch.Tensor | None:
        """Return hidden states ``[rows, hidden]`` in packed order; None where no graph is made."""
        shape = None if self.fault else Shape.of(packed)
        if shape is None:
            return None
        if shape not in self._made:
            return self._first(shape, packed)
        static, replay = self._made[shape]
        static.load(packed)
        return replay()[: len(packed.rows)]

    def _first(self, shape: Shape, packed: Packed) -> torch.Tensor:
        """Compute a step without a graph, and make one of it."""
        static = StaticStep(shape, self._scale, packed.ids.device)
        static.load(packed)
        launched = self._compute(static.work)
        try:
            replay = self._capture(partial(self._compute, static.work))
            self.fault = difference(replay(), launched)
        except RuntimeError as error:
            self.fault = f"a graph could not be captured: {str(error).splitlines()[0]}"
        if self.fault:
            logger.warning("CUDA graphs are off: %s", self.fault)
            self._made.clear()
        else:
            self._made[shape] = static, replay
        return launched[: len(packed.rows)]


def difference(replayed: torch.Tensor, launched: torch.Tensor) -> str:
    """Tell how a graph's result is wrong; nothing if it is right."""
    off = float((replayed - launched).abs().max())
    if off <= TOLERANCE * float(launched.abs().max()):  # never where it is not a number
        return ""
    return f"a graph's result was off by {off:.3g}"


def capturing() -> Capture:
    """Return how CUDA graphs are captured: as PyTorch's documentation of `torch.cuda.graph` says.

    They share their memory, for one is replayed at a time and its result is used before the next.
    """
    pool = torch.cuda.graph_pool_handle()

    def capture(compute: Compute) -> Compute:
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            compute()
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=pool):
            result = compute()

        def replay() -> torch.Tensor:
            graph.replay()
            return result

        return replay

    return capture
