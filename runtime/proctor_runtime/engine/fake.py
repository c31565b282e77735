"""A deterministic engine without a model, for tests and for trying out what is in front of one."""

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from proctor_runtime.engine.protocol import (
    EngineInfo,
    GenerateRequest,
    ScoredToken,
    ScoredTokens,
    TokenEvent,
)


class FakeEngine:
    """Continues token t with t + 1; every log-probability is a function of its two tokens."""

    def __init__(
        self, *, vocab_size: int = 256, max_sequence_length: int = 128, step_seconds: float = 0.0
    ) -> None:
        self.vocab_size = vocab_size
        self.step_seconds = step_seconds
        self.batch_sizes: list[int] = []
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
        )

    def start(self, batch: Sequence[GenerateRequest]) -> "FakeDecoding":
        """Begin a batch."""
        self.batch_sizes.append(len(batch))
        return FakeDecoding(self, list(batch))

    def close(self) -> None:
        """Hold nothing, free nothing."""

    def score(self, previous: int, token: int, top: int) -> ScoredToken:
        """Score `token` after `previous`: the successor is certain, others less by distance."""
        order = [(previous + 1 + n) % self.vocab_size for n in range(top)]
        likely = tuple((t, self.logprob(previous, t)) for t in order)
        return ScoredToken(token, self.logprob(previous, token), likely)

    def logprob(self, previous: int, token: int) -> float:
        """Return an invented log-probability, highest for the successor."""
        return -0.25 - ((token - previous - 1) % self.vocab_size)


@dataclass
class FakeDecoding:
    """A batch of the fake engine."""

    engine: FakeEngine
    requests: list[GenerateRequest]
    stopped: set[int] = field(default_factory=set)

    def stop(self, index: int) -> None:
        """Stop one request."""
        self.stopped.add(index)

    def __iter__(self) -> Iterator[Sequence[tuple[int, TokenEvent]]]:
        """Step until all are finished."""
        sequences = [FakeSequence(self.engine, request) for request in self.requests]
        while alive := [i for i in range(len(sequences)) if i not in self.stopped]:
            time.sleep(self.engine.step_seconds)
            events = [(i, sequences[i].step()) for i in alive]
            self.stopped.update(i for i, event in events if event.finish)
            yield events


class FakeSequence:
    """One request's progress."""

    def __init__(self, engine: FakeEngine, request: GenerateRequest) -> None:
        self.engine = engine
        self.request = request
        self.tokens = list(request.prompt)
        self.random = random.Random(request.sampling.seed)  # noqa: S311 - sampling, not secrets

    def step(self) -> TokenEvent:
        """Add a token, unless none is wanted."""
        made = len(self.tokens) - len(self.request.prompt)
        wanted = self.request.prompt_logprobs and not made
        prompt = ScoredTokens.of(self.score_prompt() if wanted else ())
        if self.request.max_new_tokens == 0:
            return TokenEvent(prompt=prompt, finish="length")
        previous, token = self.tokens[-1], self.pick()
        self.tokens.append(token)
        scored = self.engine.score(previous, token, self.request.top_logprobs)
        finish = self.request.finish_with(token, made + 1)
        stop = token if finish == "stop" else None
        return TokenEvent(token=scored, prompt=prompt, finish=finish, stop=stop)

    def pick(self) -> int:
        """Pick the successor, or one near it when sampling."""
        spread = self.random.randrange(4) if self.request.sampling.temperature else 0
        token = (self.tokens[-1] + 1 + spread) % self.engine.vocab_size
        made = len(self.tokens) - len(self.request.prompt)
        while made + 1 < self.request.min_new_tokens and token in self.request.stop_ids:
            token = (token + 1) % self.engine.vocab_size
        return token

    def score_prompt(self) -> tuple[ScoredToken, ...]:
        """Score the prompt; its first token has no probability."""
        prompt, top = self.request.prompt, self.request.top_logprobs
        pairs = pairwise(prompt)
        return (
            ScoredToken(prompt[0], None),
            *(self.engine.score(previous, token, top) for previous, token in pairs),
        )
