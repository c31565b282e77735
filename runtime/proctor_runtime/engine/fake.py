"""A deterministic engine without a model, for tests and for trying out what is in front of one."""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from proctor_runtime.engine.protocol import EngineInfo, ScoredToken
from proctor_runtime.engine.scheduling.scheduler import Capacity
from proctor_runtime.engine.scheduling.step import Draws, Row, RowResult, Scores, Segment, Step

CAPACITY = Capacity(blocks=1024, block_tokens=16, sequences=32, step_tokens=2048)

Slot = tuple[int, int]
"""A token and its position, where a model has keys and values."""


class FakeEngine:
    """Continues token t with t + 1; every log-probability is a function of its two tokens.

    Like a model it knows of a sequence only what its segments hold, and it refuses a step whose
    segments do not hold a sequence's beginning.
    """

    def __init__(
        self,
        *,
        vocab_size: int = 256,
        max_sequence_length: int = 128,
        step_seconds: float = 0.0,
        capacity: Capacity = CAPACITY,
    ) -> None:
        self.vocab_size = vocab_size
        self.step_seconds = step_seconds
        self.capacity = capacity
        self.batch_sizes: list[int] = []
        self.store: dict[int, Slot] = {}
        self._drawing: dict[int, Drawing] = {}
        self._max_sequence_length = max_sequence_length

    @property
    def info(self) -> EngineInfo:
        """Describe an engine of no layers."""
        return EngineInfo(
            engine="fake",
            device="none",
            dtype="float32",
            tensor_parallel=1,
            pipeline_parallel=1,
            max_sequence_length=self._max_sequence_length,
            num_layers=0,
            hidden_size=0,
            vocab_size=self.vocab_size,
            kv_cache_blocks=self.capacity.blocks,
            kv_cache_block_tokens=self.capacity.block_tokens,
        )

    def execute(self, step: Step) -> list[RowResult]:
        """Write every row's tokens into the store, then answer each from what it finds there."""
        time.sleep(self.step_seconds)
        self.batch_sizes.append(len(step.rows))
        for sequence in step.left:
            del self._drawing[sequence]
        self._drawing |= {draws.sequence: Drawing.of(draws) for draws in step.joined}
        for row in step.rows:
            places = enumerate(row.tokens, start=row.position)
            for slot, (place, token) in zip(slots(row.written), places, strict=True):
                self.store[slot] = (token, place)
        for copy in step.copies:
            for source, target in zip(copy.sources, copy.targets, strict=True):
                self.store[target] = self.store[source]
        return [self._answer(row) for row in step.rows]

    def close(self) -> None:
        """Hold nothing, free nothing."""

    def _answer(self, row: Row) -> RowResult:
        context = self._read(row)
        scores = None
        if row.targets:
            places = enumerate(row.targets, start=row.position + 1)
            scored = [self.score(context[:place], token, row.top) for place, token in places]
            scores = Scores(
                [one.logprob for one in scored],
                [[token for token, _ in one.top] for one in scored],
                [[logprob for _, logprob in one.top] for one in scored],
            )
        if not row.samples:
            return RowResult(scores)
        token = self.pick(context, self._drawing.get(row.sequence))
        return RowResult(scores, self.score(context, token, row.top))

    def _read(self, row: Row) -> list[int]:
        """Return the sequence's tokens from the store."""
        found = [self.store[slot] for slot in slots(row.segments)]
        if [place for _, place in found] != list(range(row.position + len(row.tokens))):
            raise ValueError(f"the segments of sequence {row.sequence} do not hold its beginning")
        return [token for token, _ in found]

    def score(self, context: Sequence[int], token: int, top: int) -> ScoredToken:
        """Score `token` after `context`: the successor is certain, others less by distance."""
        previous = context[-1]
        order = [(previous + 1 + n) % self.vocab_size for n in range(top)]
        likely = tuple((t, self.logprob(previous, t)) for t in order)
        return ScoredToken(token, self.logprob(previous, token), likely)

    def logprob(self, previous: int, token: int) -> float:
        """Return an invented log-probability, highest for the successor."""
        return -0.25 - ((token - previous - 1) % self.vocab_size)

    def pick(self, context: Sequence[int], drawing: "Drawing | None") -> int:
        """Pick the successor, or one near it when sampling."""
        token = (context[-1] + 1) % self.vocab_size
        if drawing is None:
            return token
        if drawing.draws.sampling.temperature:
            token = (token + drawing.random.randrange(4)) % self.vocab_size
        made = len(context) - len(drawing.draws.prompt)
        while made < drawing.draws.min_new_tokens and token in drawing.draws.stop_ids:
            token = (token + 1) % self.vocab_size
        return token


@dataclass(frozen=True, slots=True)
class Drawing:
    """How one sequence draws."""

    draws: Draws
    random: random.Random

    @classmethod
    def of(cls, draws: Draws) -> "Drawing":
        """Begin to draw."""
        return cls(draws, random.Random(draws.sampling.seed))  # noqa: S311 - sampling, not secrets


def slots(segments: Sequence[Segment]) -> list[int]:
    """List the segments' slots."""
    return list(chain.from_iterable(range(start, start + count) for start, count in segments))
