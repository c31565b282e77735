"""The engine's contract: token ids in, token events out. No text, no HTTP, no torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, overload

if TYPE_CHECKING:
    from proctor_runtime.engine.scheduling.scheduler import Capacity
    from proctor_runtime.engine.scheduling.step import RowResult, Step

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How one request picks its tokens; the defaults change nothing.

    In this order: bias and penalties, temperature, top-k, top-p, min-p. Temperature 0, or next to
    it, picks the likeliest after bias and penalties. Log-probabilities are reported from the
    model's own logits.
    """

    temperature: float = 0.0
    top_k: int = 0
    """Only the k likeliest tokens; 0 for all."""
    top_p: float = 1.0
    """Only the likeliest tokens that make up this much probability; 1 for all."""
    min_p: float = 0.0
    """Only tokens at least this many times as likely as the likeliest; 0 for all."""
    presence_penalty: float = 0.0
    """Taken from the logit of every token that has been generated."""
    frequency_penalty: float = 0.0
    """Taken from the logit of a token as often as it has been generated."""
    repetition_penalty: float = 1.0
    """Divides positive logits, multiplies negative ones, of tokens in prompt or generation."""
    logit_bias: tuple[tuple[int, float], ...] = ()
    """Added to the logits of these tokens."""
    seed: int | None = None
    """The same seed gives the same tokens, whatever else is in the batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateRequest:
    """One sequence to score, to continue, or both."""

    prompt: tuple[int, ...]
    max_new_tokens: int
    min_new_tokens: int = 0
    """Before this many, stop ids are not picked and stop texts do not end the sequence."""
    sampling: Sampling = Sampling()
    stop_ids: tuple[int, ...] = ()
    """Tokens that end the sequence; the one that did is its last token."""
    stop_texts: tuple[str, ...] = ()
    """Texts that end the sequence; the batcher watches for them, engines know no text."""
    stop_context: tuple[int, ...] = ()
    """The end of what the text continues: some decoders drop the space before a first word."""
    skip_special_tokens: bool = True
    """Whether stop texts are looked for in the text without special tokens."""
    top_logprobs: int = 0
    """Alternatives to report at each position, besides the realised token."""
    prompt_logprobs: bool = False

    @property
    def is_scoring(self) -> bool:
        """Whether one forward pass answers it: every position is known beforehand."""
        return self.prompt_logprobs and self.max_new_tokens <= 1

    def finish_with(self, token: int, made: int) -> "FinishReason | None":
        """Say whether `token`, the `made`-th new one, is the last, and why."""
        if token in self.stop_ids and made > self.min_new_tokens:
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


@dataclass(frozen=True, slots=True)
class ScoredTokens(Sequence[ScoredToken]):
    """Scored tokens column by column: thousands of them cost no thousands of objects.

    As a sequence it yields a `ScoredToken` each. All columns are equally long.
    """

    tokens: tuple[int, ...] = ()
    logprobs: tuple[float | None, ...] = ()
    top_tokens: tuple[Sequence[int], ...] = ()
    """Of each token, its alternatives' ids, likeliest first; empty where none were asked for."""
    top_logprobs: tuple[Sequence[float], ...] = ()
    """Of each token, its alternatives' log-probabilities."""

    @classmethod
    def of(cls, scored: Sequence[ScoredToken]) -> "ScoredTokens":
        """Turn rows into columns."""
        return cls(
            tuple(one.token for one in scored),
            tuple(one.logprob for one in scored),
            tuple([token for token, _ in one.top] for one in scored),
            tuple([logprob for _, logprob in one.top] for one in scored),
        )

    def __len__(self) -> int:
        return len(self.tokens)

    @overload
    def __getitem__(self, at: int) -> ScoredToken: ...
    @overload
    def __getitem__(self, at: slice) -> "ScoredTokens": ...
    def __getitem__(self, at: "int | slice") -> "ScoredToken | ScoredTokens":
        if isinstance(at, slice):
            return ScoredTokens(
                self.tokens[at], self.logprobs[at], self.top_tokens[at], self.top_logprobs[at]
            )
        top = tuple(zip(self.top_tokens[at], self.top_logprobs[at], strict=True))
        return ScoredToken(self.tokens[at], self.logprobs[at], top)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenEvent:
    """What one step of the engine adds to one request."""

    token: ScoredToken | None = None
    """None only with the end of a request that wanted no token."""
    prompt: ScoredTokens = ScoredTokens()
    """The scored prompt, in the request's first event, if it asked for it."""
    finish: FinishReason | None = None
    """Set in the last event."""
    stop: int | str | None = None
    """The stop id or stop text that ended it; the text ends in the newest token's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A finished request."""

    tokens: ScoredTokens
    prompt: ScoredTokens
    finish: FinishReason
    stop: int | str | None = None
    """The stop id or stop text that ended it. A text's last occurrence is the one that did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """Whether something is in effect; where it is not, why."""

    on: bool
    reason: str = ""


UNSAID = Feature(on=False, reason="this engine has nothing of the kind")


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineInfo:
    """What an engine is and what it can hold: the configuration in effect."""

    engine: str
    device: str
    dtype: str
    tensor_parallel: int
    pipeline_parallel: int
    max_sequence_length: int
    num_layers: int
    hidden_size: int
    vocab_size: int
    context_parallel: int = 1
    expert_parallel: int = 1
    expert_tensor_parallel: int = 1
    sequence_parallel: bool = False
    kv_cache_blocks: int = 0
    kv_cache_block_tokens: int = 0
    kv_cache_bytes: int = 0
    """Of one rank: the budget that the blocks take up."""
    prefix_caching: Feature = UNSAID
    chunked_prefill: Feature = UNSAID
    cuda_graphs: Feature = UNSAID
    flash_decode: Feature = UNSAID


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineStats:
    """What the engine is doing now, and has done since it started."""

    running: int = 0
    waiting: int = 0
    kv_cache_usage: float = 0.0
    """Share of the KV blocks that requests hold, 0 to 1; what only the prefix cache keeps is free.
    """
    prefix_cache_queries: int = 0
    """Prompt tokens that were looked up."""
    prefix_cache_hits: int = 0
    """Prompt tokens that were found."""
    prompt_tokens: int = 0
    generation_tokens: int = 0
    preemptions: int = 0


class EngineDeadError(RuntimeError):
    """The engine cannot serve any more: its process must be replaced."""


class NotANumberError(RuntimeError):
    """The model computed something for a request that is not a number, and so no answer."""

    def __init__(self) -> None:
        super().__init__(
            "the model's log-probabilities are not numbers (NaN): its weights are damaged, or do "
            "not fit engine.dtype; other requests go on"
        )


class QueueFullError(RuntimeError):
    """More requests wait than the engine's bound; ask again later."""

    def __init__(self, waiting: int, bound: int) -> None:
        super().__init__(f"{waiting} requests are waiting, and {bound} may: try again later")
        self.waiting = waiting
        self.bound = bound


class RequestTooLargeError(ValueError):
    """A request that could never be served, however long it waited."""


class Engine(Protocol):
    """Computes steps. All calls come from one thread."""

    @property
    def info(self) -> EngineInfo:
        """Describe the engine."""
        ...

    @property
    def capacity(self) -> "Capacity":
        """Tell the scheduler what steps may hold."""
        ...

    def execute(self, step: "Step") -> "Sequence[RowResult]":
        """Compute a step and return what came of each of its rows.

        Steps build on each other: what a row's segments hold, earlier steps and this one wrote.
        """
        ...

    def close(self) -> None:
        """Free what the engine holds."""
        ...
