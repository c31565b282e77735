"""Groups concurrent requests into batches and runs them on one dedicated thread."""

import math
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

from proctor_runtime.engine.protocol import (
    Completion,
    Decoding,
    Engine,
    EngineDeadError,
    GenerateRequest,
    ScoredToken,
    TokenEvent,
)

Decode = Callable[[Sequence[int]], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one batch may hold."""

    requests: int = 32
    tokens: int = 1 << 16
    """Positions including padding: requests x the longest; what memory grows with."""


@dataclass(slots=True)
class Pending:
    """A request on its way, and what it has so far."""

    request: GenerateRequest
    future: "Future[Completion]"
    tokens: list[ScoredToken] = field(default_factory=list)
    prompt: tuple[ScoredToken, ...] = ()

    def accept(self, event: TokenEvent) -> None:
        """Take in one step's event."""
        self.prompt = event.prompt or self.prompt
        if event.token is not None:
            self.tokens.append(event.token)


def take_batch(queue: deque[Pending], limits: Limits) -> list[Pending]:
    """Remove the next batch from `queue`: the oldest request, and what fits beside it.

    Scoring and generation do not mix, for one pass would wait for the other's many. Who does not
    fit keeps its place.
    """
    batch: list[Pending] = []
    passed_over: list[Pending] = []
    longest = 0
    while queue and len(batch) < limits.requests:
        candidate = queue.popleft()
        request = candidate.request
        length = max(longest, len(request.prompt) + request.max_new_tokens)
        fits = not batch or (
            request.is_scoring == batch[0].request.is_scoring
            and length * (len(batch) + 1) <= limits.tokens
        )
        if fits:
            batch.append(candidate)
            longest = length
        else:
            passed_over.append(candidate)
    queue.extendleft(reversed(passed_over))
    return batch


def found_stop(tokens: Sequence[ScoredToken], stops: Sequence[str], decode: Decode) -> bool:
    """Tell whether the newest tokens completed one of the stop texts."""
    if not stops or not tokens:
        return False
    # Every token but a special one has a byte at least, and a character four at most.
    window = 4 * max(map(len, stops)) + 16
    text = decode([scored.token for scored in tokens[-window:]])
    return any(stop in text for stop in stops)


class Batcher:
    """Feeds an engine: any thread submits, one thread runs."""

    def __init__(
        self,
        engine: Engine,
        *,
        decode: Decode,
        limits: Limits | None = None,
        seed: int = 0,
        on_death: Callable[[Exception], None] = lambda _: None,
    ) -> None:
        self.engine = engine
        self.limits = limits or Limits()
        self._decode = decode
        self._on_death = on_death
        self._seeds = random.Random(seed)  # noqa: S311 - sampling, not secrets
        self._queue: deque[Pending] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._last_token = -math.inf
        self._death: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def submit(self, request: GenerateRequest) -> "Future[Completion]":
        """Queue a request; never blocks. Cancelling the future before its batch starts drops it."""
        future: Future[Completion] = Future()
        with self._changed:
            if self._closing or self._death:
                raise EngineDeadError(str(self._death or "the engine is shutting down"))
            if request.sampling.seed is None and request.sampling.temperature > 0:
                sampling = replace(request.sampling, seed=self._seeds.getrandbits(63))
                request = replace(request, sampling=sampling)
            self._queue.append(Pending(request, future))
            self._changed.notify()
        return future

    def last_token(self) -> float:
        """Return when (``time.monotonic``) the engine last made anything."""
        return self._last_token

    def close(self) -> None:
        """Finish what is queued, then stop the thread and the engine."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()
        self.engine.close()

    def _run(self) -> None:
        while batch := self._next_batch():
            try:
                self._serve(batch)
            except Exception as error:
                self._fail(batch, error)

    def _next_batch(self) -> list[Pending]:
        """Wait for work; an empty batch means that there will be no more."""
        with self._changed:
            while not self._death:
                self._changed.wait_for(lambda: self._queue or self._closing)
                if not self._queue:
                    break
                batch = take_batch(self._queue, self.limits)
                if wanted := [p for p in batch if p.future.set_running_or_notify_cancel()]:
                    return wanted
        return []

    def _serve(self, batch: list[Pending]) -> None:
        decoding = self.engine.start([pending.request for pending in batch])
        for events in decoding:
            self._last_token = time.monotonic()
            for event in events:
                self._deliver(batch[event.index], event, decoding)

    def _deliver(self, pending: Pending, event: TokenEvent, decoding: Decoding) -> None:
        pending.accept(event)
        finish = event.finish
        if found_stop(pending.tokens, pending.request.stop_texts, self._decode):
            finish = "stop"
            decoding.stop(event.index)
        if finish:
            tokens = tuple(pending.tokens)
            completion = Completion(tokens=tokens, prompt=pending.prompt, finish=finish)
            pending.future.set_result(completion)

    def _fail(self, batch: list[Pending], error: Exception) -> None:
        """Fail a batch, and with a dead engine everybody who waits."""
        with self._changed:
            if isinstance(error, EngineDeadError):
                self._death = error
                batch = [*batch, *self._queue]
                self._queue.clear()
        for pending in batch:
            if not pending.future.done():
                pending.future.set_exception(error)
        if self._death:
            self._on_death(error)
