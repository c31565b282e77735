"""The engine's contract: token ids in, token events out. No text, no HTTP, no torch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How one request picks its tokens; temperature 0 is greedy and ignores the rest."""

    temperature: float = 0.0
    top_k: int = 0
    """Only the k likeliest tokens; 0 for all."""
    top_p: float = 1.0
    """Only the likeliest tokens that make up this much probability; 1 for all."""
    seed: int | None = None
    """The same seed gives the same tokens, whatever else is in the batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateRequest:
    """One sequence to score, to continue, or both."""

    prompt: tuple[int, ...]
    max_new_tokens: int
    sampling: Sampling = Sampling()
    stop_ids: tuple[int, ...] = ()
    """Tokens that end the sequence; the one that did is its last token."""
    stop_texts: tuple[str, ...] = ()
    """Texts that end the sequence; the batcher watches for them, engines know no text."""
    top_logprobs: int = 0
    """Alternatives to report at each position, besides the realised token."""
    prompt_logprobs: bool = False

    @property
    def is_scoring(self) -> bool:
        """Whether one forward pass answers it: every position is known beforehand."""
        return self.prompt_logprobs and self.max_new_tokens <= 1

    def finish_with(self, token: int, made: int) -> "FinishReason | None":
        """Say whether `token`, the `made`-th new one, is the last, and why."""
        if token in self.stop_ids:
            return "stop"
        return "length" if made >= self.max_new_tokens else None


@dataclass(frozen=True, slots=True)
class ScoredToken:
    """A token with its log-probability; the very first of a prompt has none."""

    token: int
    logprob: float | None
    top: tuple[tuple[int, float], ...] = ()
    """Alternatives, likeliest first, from the same computation as `logprob`: a greedy token's
    `logprob` is exactly equal to its first alternative's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenEvent:
    """What one step of the engine adds to one request of the batch."""

    index: int
    token: ScoredToken | None = None
    prompt: tuple[ScoredToken, ...] = ()
    """The scored prompt, in the request's first event, if it asked for it."""
    finish: FinishReason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A finished request."""

    tokens: tuple[ScoredToken, ...]
    prompt: tuple[ScoredToken, ...]
    finish: FinishReason


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineInfo:
    """What an engine is and what it can hold."""

    engine: str
    device: str
    dtype: str
    tensor_parallel: int
    pipeline_parallel: int
    max_sequence_length: int
    num_layers: int
    hidden_size: int
    vocab_size: int


class Decoding(Protocol):
    """A batch under way: iterate to step it."""

    def __iter__(self) -> Iterator[Sequence[TokenEvent]]:
        """Yield each step's events, until every request has had one with `finish`."""
        ...

    def stop(self, index: int) -> None:
        """Ask for no more tokens of a request; it has no further events."""
        ...


class EngineDeadError(RuntimeError):
    """The engine cannot serve any more: its process must be replaced."""


class Engine(Protocol):
    """Runs one batch at a time. All calls come from one thread."""

    @property
    def info(self) -> EngineInfo:
        """Describe the engine."""
        ...

    def start(self, batch: Sequence[GenerateRequest]) -> Decoding:
        """Begin a batch, which is either all scoring or all generation."""
        ...

    def close(self) -> None:
        """Free what the engine holds."""
        ...
