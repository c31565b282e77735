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
    EngineStats,
    GenerateRequest,
    QueueFullError,
    ScoredToken,
    ScoredTokens,
    TokenEvent,
)

Decode = Callable[[Sequence[int]], str]
OnEvent = Callable[[TokenEvent], None]

UNSCORED = ScoredTokens()


def nobody_listens(_: TokenEvent) -> None:
    """Take in an event of a request whose completion is all that is wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much may be held."""

    waiting: int = 4096
    """Requests that wait."""
    requests: int = 32
    """Requests in one batch."""
    tokens: int = 1 << 16
    """Positions including padding: requests x the longest; what memory grows with."""


@dataclass(slots=True)
class Pending:
    """A request on its way, and what it has so far."""

    request: GenerateRequest
    future: "Future[Completion]"
    on_event: OnEvent = nobody_listens
    tokens: list[ScoredToken] = field(default_factory=list)
    prompt: ScoredTokens = UNSCORED

    def accept(self, event: TokenEvent) -> None:
        """Take in one step's event."""
        self.prompt = event.prompt or self.prompt
        if event.token is not None:
            self.tokens.append(event.token)

    def completion(self, event: TokenEvent) -> Completion:
        """Return what came of it, with its last event."""
        tokens = ScoredTokens.of(self.tokens)
        finish = event.finish or "length"
        return Completion(tokens=tokens, prompt=self.prompt, finish=finish, stop=event.stop)


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


def found_stop(tokens: Sequence[ScoredToken], stops: Sequence[str], decode: Decode) -> str | None:
    """Return the stop text that the newest tokens completed, the first to begin; None if none."""
    if not stops or not tokens:
        return None
    # Every token but a special one has a byte at least, and a character four at most.
    window = 4 * max(map(len, stops)) + 16
    text = decode([scored.token for scored in tokens[-window:]])
    found = [stop for stop in stops if stop in text]
    if not found:
        return None
    # What stood there before, the request was allowed to say.
    before = len(decode([scored.token for scored in tokens[-window:-1]]))
    ends = {stop: text.rindex(stop) + len(stop) for stop in found}
    return min((s for s in found if ends[s] > before), key=lambda s: ends[s] - len(s), default=None)


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
        self._running: list[Pending] = []
        self._stats = EngineStats()
        self._changed = threading.Condition()
        self._closing = False
        self._last_token = -math.inf
        self._death: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def submit(
        self, request: GenerateRequest, on_event: OnEvent = nobody_listens
    ) -> "Future[Completion]":
        """Queue a request; never blocks.

        `on_event` hears of every new token, in the engine's thread: it must be quick. Cancelling
        the future, at any time, ends the request by the engine's next step; there is no event then.
        Raises `QueueFullError` where `Limits.waiting` requests wait already.
        """
        future: Future[Completion] = Future()
        with self._changed:
            if self._closing or self._death:
                raise EngineDeadError(str(self._death or "the engine is shutting down"))
            if len(self._queue) >= self.limits.waiting:
                raise QueueFullError(len(self._queue), self.limits.waiting)
            if request.sampling.seed is None and request.sampling.temperature > 0:
                sampling = replace(request.sampling, seed=self._seeds.getrandbits(63))
                request = replace(request, sampling=sampling)
            self._queue.append(Pending(request, future, on_event))
            self._changed.notify()
        return future

    def last_token(self) -> float:
        """Return when (``time.monotonic``) the engine last made anything."""
        return self._last_token

    def stats(self) -> EngineStats:
        """Return what the engine is doing; from any thread."""
        with self._changed:
            return replace(self._stats, running=len(self._running), waiting=len(self._queue))

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
                if wanted := [p for p in batch if not p.future.cancelled()]:
                    self._running = wanted
                    return wanted
        return []

    def _serve(self, batch: list[Pending]) -> None:
        decoding = self.engine.start([pending.request for pending in batch])
        self._count(prompt_tokens=sum(len(pending.request.prompt) for pending in batch))
        for events in decoding:
            self._last_token = time.monotonic()
            for index, event in events:
                self._deliver(index, batch[index], event, decoding)
        self._running = []

    def _deliver(self, index: int, pending: Pending, event: TokenEvent, decoding: Decoding) -> None:
        if pending.future.cancelled():
            decoding.stop(index)
            return
        pending.accept(event)
        self._count(generation_tokens=int(event.token is not None))
        event = self._stopped_by_text(pending, event)
        if event.stop is not None:
            decoding.stop(index)
        pending.on_event(event)
        if event.finish and pending.future.set_running_or_notify_cancel():
            pending.future.set_result(pending.completion(event))

    def _stopped_by_text(self, pending: Pending, event: TokenEvent) -> TokenEvent:
        if len(pending.tokens) < pending.request.min_new_tokens:
            return event
        stop = found_stop(pending.tokens, pending.request.stop_texts, self._decode)
        return event if stop is None else replace(event, finish="stop", stop=stop)

    def _count(self, *, prompt_tokens: int = 0, generation_tokens: int = 0) -> None:
        self._stats = replace(
            self._stats,
            prompt_tokens=self._stats.prompt_tokens + prompt_tokens,
            generation_tokens=self._stats.generation_tokens + generation_tokens,
        )

    def _fail(self, batch: list[Pending], error: Exception) -> None:
        """Fail a batch, and with a dead engine everybody who waits."""
        with self._changed:
            if isinstance(error, EngineDeadError):
                self._death = error
                batch = [*batch, *self._queue]
                self._queue.clear()
        for pending in batch:
            if not pending.future.done() and pending.future.set_running_or_notify_cancel():
                pending.future.set_exception(error)
        if self._death:
            self._on_death(error)
