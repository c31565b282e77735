"""One step of the model, completely described: what every rank is told, and what it answers.

A step is a packed batch: rows of new tokens, one after the other, without padding. Keys and values
live in a store of slots, one per token; a row's slots come in few contiguous segments.
"""

from dataclasses import dataclass

from proctor_runtime.engine.protocol import Sampling, ScoredToken

Segment = tuple[int, int]
"""First slot and number of slots."""


@dataclass(frozen=True, slots=True)
class Row:
    """The next tokens of one sequence."""

    sequence: int
    tokens: tuple[int, ...]
    position: int
    """Of the first of them, counted from the sequence's own start."""
    segments: tuple[Segment, ...]
    """Where the sequence lies in the store, from its first token to the last of `tokens`."""
    targets: tuple[int, ...] = ()
    """Tokens to score: the n-th by the logits behind the n-th of `tokens`."""
    samples: bool = False
    """Whether a new token is wanted behind the last."""
    top: int = 0
    """Alternatives to report with each score."""

    @property
    def written(self) -> tuple[Segment, ...]:
        """Where the keys and values of `tokens` go: the last of the segments."""
        return tail(self.segments, len(self.tokens))


@dataclass(frozen=True, slots=True)
class Copy:
    """Keys and values to copy within the store, once this step's own are written.

    A step's copies follow each other: a later one may copy from an earlier one's target.
    """

    source: int
    target: int
    count: int

    @property
    def sources(self) -> range:
        """The slots copied from."""
        return range(self.source, self.source + self.count)

    @property
    def targets(self) -> range:
        """The slots copied to."""
        return range(self.target, self.target + self.count)


@dataclass(frozen=True, slots=True)
class Draws:
    """How a sequence will pick its tokens from now on."""

    sequence: int
    sampling: Sampling
    prompt: tuple[int, ...]
    stop_ids: tuple[int, ...]
    min_new_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What to compute."""

    rows: tuple[Row, ...]
    copies: tuple[Copy, ...] = ()
    joined: tuple[Draws, ...] = ()
    """Sequences that will sample, before the first step in which they do."""
    left: tuple[int, ...] = ()
    """Sequences that will not sample any more."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Log-probabilities of successive tokens, by column; lists as the device gave them."""

    logprobs: list[float | None]
    top_tokens: list[list[int]]
    top_logprobs: list[list[float]]

    @classmethod
    def empty(cls) -> "Scores":
        """Return no scores."""
        return cls([], [], [])

    def extend(self, other: "Scores", start: int, end: int) -> None:
        """Append a part of others."""
        self.logprobs.extend(other.logprobs[start:end])
        self.top_tokens.extend(other.top_tokens[start:end])
        self.top_logprobs.extend(other.top_logprobs[start:end])

    def with_top(self, top: int) -> "Scores":
        """Return these scores with so many alternatives, of as many at least."""
        if all(len(tokens) <= top for tokens in self.top_tokens):
            return self
        tokens = [tokens[:top] for tokens in self.top_tokens]
        return Scores(self.logprobs, tokens, [values[:top] for values in self.top_logprobs])

    def part(self, start: int, end: int) -> "Scores":
        """Return a part."""
        return Scores(
            self.logprobs[start:end], self.top_tokens[start:end], self.top_logprobs[start:end]
        )


@dataclass(frozen=True, slots=True)
class RowResult:
    """What came of a row."""

    scores: Scores | None = None
    """Of its targets, if it had any."""
    token: ScoredToken | None = None
    """The new token, if one was wanted."""


def tail(segments: tuple[Segment, ...], count: int) -> tuple[Segment, ...]:
    """Return the segments' last `count` slots."""
    start, length = segments[-1]
    if count <= length:
        return ((start + length - count, count),)
    return (*tail(segments[:-1], count - length), segments[-1])


def head(segments: tuple[Segment, ...], count: int) -> tuple[Segment, ...]:
    """Return the segments' first `count` slots."""
    kept: list[Segment] = []
    for start, length in segments:
        if count <= 0:
            break
        kept.append((start, min(length, count)))
        count -= length
    return tuple(kept)
