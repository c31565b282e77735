"""Feeds an engine: any thread submits requests, one thread runs steps."""

import math
import random
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import partial

from proctor_runtime.engine.protocol import (
    Completion,
    Engine,
    EngineDeadError,
    EngineStats,
    GenerateRequest,
    NotANumberError,
    QueueFullError,
    ScoredToken,
    ScoredTokens,
    TokenEvent,
)
from proctor_runtime.engine.scheduling.scheduler import Scheduler
from proctor_runtime.engine.stops import DecodeEither, found_stop

OnEvent = Callable[[TokenEvent], None]
OnStart = Callable[[], None]

MAX_WAITING = 4096
LONG_STEP_SECONDS = 60.0
UNSCORED = ScoredTokens()


def nobody_listens(_: TokenEvent) -> None:
    """Take in an event of a request whose completion is all that is wanted."""


def nobody_waits() -> None:
    """Take in the start of a request."""


@dataclass(slots=True, eq=False)
class Pending:
    """A request on its way, and what it has so far."""

    request: GenerateRequest
    future: "Future[Completion]"
    on_event: OnEvent = nobody_listens
    on_start: OnStart = nobody_waits
    has_started: bool = False
    tokens: list[ScoredToken] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    prompt: ScoredTokens = UNSCORED

    def start(self) -> None:
        """Take in that a step has begun on it; again after a preemption."""
        if not self.has_started:
            self.has_started = True
            self.on_start()

    def accept(self, event: TokenEvent) -> None:
        """Take in one step's event."""
        self.prompt = event.prompt or self.prompt
        if event.token is not None:
            self.tokens.append(event.token)
            self.ids.append(event.token.token)

    def completion(self, event: TokenEvent) -> Completion:
        """Return what came of it, with its last event."""
        tokens = ScoredTokens.of(self.tokens)
        finish = event.finish or "length"
        return Completion(tokens=tokens, prompt=self.prompt, finish=finish, stop=event.stop)


class Batcher:
    """Serves requests together: each joins at the next step and leaves when it is done."""

    def __init__(
        self,
        engine: Engine,
        *,
        decode: DecodeEither,
        max_waiting: int = MAX_WAITING,
        seed: int = 0,
        on_death: Callable[[Exception], None] = lambda _: None,
    ) -> None:
        self.engine = engine
        self.max_waiting = max_waiting
        self._decode = decode
        self._on_death = on_death
        self._seeds = random.Random(seed)  # noqa: S311 - sampling, not secrets
        self._scheduler = Scheduler(engine.capacity)
        self._submitted: list[Pending] = []
        self._served: dict[int, Pending] = {}
        self._changed = threading.Condition()
        self._closing = False
        self._last_token = -float("inf")
        self._step_began: float | None = None
        self._death: Exception | None = None
        self._is_still = threading.Event()
        self._is_still.set()

    def start(self) -> None:
        """Begin to serve, in a thread of its own."""
        self._is_still.clear()
        threading.Thread(target=self.run, name="engine", daemon=True).start()

    def run(self, on_begin: Callable[[], None] = lambda: None) -> None:
        """Serve in this thread, until `close`, which waits for it once `on_begin` is called."""
        self._is_still.clear()
        try:
            on_begin()
            self._serve()
        finally:
            self._is_still.set()

    def submit(
        self,
        request: GenerateRequest,
        on_event: OnEvent = nobody_listens,
        on_start: OnStart = nobody_waits,
    ) -> "Future[Completion]":
        """Queue a request; never blocks.

        `on_event` hears of every new token, and `on_start` when the first step works on the
        request, in the engine's thread: both must be quick, and `on_start` must not raise.
        Cancelling the future, at any time, ends the request by the engine's next step; there is no
        event then. Raises `QueueFullError` where `max_waiting` requests wait already, and
        `RequestTooLargeError` where the KV cache could never hold the request.
        """
        self._scheduler.check(request)
        future: Future[Completion] = Future()
        with self._changed:
            if self._closing or self._death:
                raise EngineDeadError(str(self._death or "the engine is shutting down"))
            waiting = len(self._submitted) + self._scheduler.stats.waiting
            if waiting >= self.max_waiting:
                raise QueueFullError(waiting, self.max_waiting)
            if request.sampling.seed is None and request.sampling.temperature > 0:
                sampling = replace(request.sampling, seed=self._seeds.getrandbits(63))
                request = replace(request, sampling=sampling)
            self._submitted.append(Pending(request, future, on_event, on_start))
            self._changed.notify()
        return future

    def last_token(self) -> float:
        """Return when (``time.monotonic``) the engine last made anything; during a step, now.

        But not before its first, nor during one that takes longer than any should.
        """
        now, began = time.monotonic(), self._step_began
        if began is None or now - began > LONG_STEP_SECONDS or self._last_token < 0:
            return self._last_token
        return now

    def stats(self) -> EngineStats:
        """Return what the engine is doing; from any thread."""
        stats = self._scheduler.stats
        return replace(stats, waiting=stats.waiting + len(self._submitted))

    def close(self) -> None:
        """Finish what is queued, then stop the thread and the engine."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._is_still.wait()
        self.engine.close()

    def _serve(self) -> None:
        while self._take_submitted():
            try:
                self._drop_cancelled()
                self._step()
            except Exception as error:
                self._fail(error)

    def _take_submitted(self) -> bool:
        """Wait for something to do; False if there will be nothing more."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._submitted or self._served or self._closing or self._death
            )
            if self._death or not (self._submitted or self._served):
                return False
            new, self._submitted = self._submitted, []
            # Under the lock, for `submit` must find each either here or there.
            self._served |= {self._scheduler.add(pending.request): pending for pending in new}
        return True

    def _drop_cancelled(self) -> None:
        self._end([number for number, p in self._served.items() if p.future.cancelled()])

    def _end(self, numbers: Iterable[int]) -> None:
        gone = list(numbers)
        if gone:
            self._scheduler.remove(gone)
            for number in gone:
                del self._served[number]

    def _step(self) -> None:
        if self._scheduler.is_idle:
            return
        step = self._scheduler.schedule()
        for row in step.rows:
            self._served[row.sequence].start()
        self._step_began = time.monotonic()
        try:
            results = self.engine.execute(step)
            self._last_token = time.monotonic()
        finally:
            self._step_began = None
        stopped = [
            number
            for number, event in self._scheduler.advance(step, results)
            if self._deliver(number, event)
        ]
        self._end(stopped)

    def _deliver(self, number: int, event: TokenEvent) -> bool:
        """Pass an event on; True if the scheduler must be told that it was the last."""
        pending = self._served[number]
        pending.accept(event)
        is_retired = event.finish is not None
        try:
            require_numbers(event)
            event = self._stopped_by_text(pending, event)
            pending.on_event(event)
        except Exception as error:
            # Who is computed no numbers, or listens badly, harms nobody else.
            refuse([pending], error)
            event = replace(event, finish=event.finish or "stop")
        if event.finish is None:
            return False
        resolve(pending, event)
        if is_retired:
            del self._served[number]
        return not is_retired

    def _stopped_by_text(self, pending: Pending, event: TokenEvent) -> TokenEvent:
        request = pending.request
        if event.stop is not None or len(pending.ids) < request.min_new_tokens:
            return event
        decode = partial(self._decode, skip_special_tokens=request.skip_special_tokens)
        stop = found_stop(pending.ids, request.stop_texts, decode, request.stop_context)
        return event if stop is None else replace(event, finish="stop", stop=stop)

    def _fail(self, error: Exception) -> None:
        """Fail who took part in a step, and with a dead engine everybody."""
        with self._changed:
            failed = self._scheduler.fail()
            if isinstance(error, EngineDeadError):
                self._death = error
            if self._death or not failed:
                failed = list(self._served)
            self._scheduler.remove(failed)
            lost = [self._served.pop(number) for number in failed if number in self._served]
            if self._death:
                lost += self._submitted
                self._submitted = []
        refuse(lost, error)
        if self._death:
            self._on_death(error)


def launch(make: Callable[[], Batcher]) -> Batcher:
    """Start the batcher that `make` returns in the thread that `make` ran in; raises what it did.

    PyTorch gives each thread that computes a pool of helpers. Of two pools, one for loading and one
    for steps, libgomp would put both to sleep after each loop, for together they are more than the
    processors: see `proctor_runtime.libraries`.
    """
    made: Future[Batcher] = Future()

    def be_the_engine() -> None:
        try:
            batcher = make()
        except BaseException as error:  # the caller's to handle
            made.set_exception(error)
            return
        batcher.run(partial(made.set_result, batcher))

    threading.Thread(target=be_the_engine, name="engine", daemon=True).start()
    return made.result()


def require_numbers(event: TokenEvent) -> None:
    """Raise `NotANumberError` where a log-probability is none: its token is nobody's choice.

    They are on the host already, so that no device is waited for.
    """
    told = [*event.prompt.logprobs, event.token.logprob if event.token else None]
    if math.isnan(sum(filter(None, told))):
        raise NotANumberError


def resolve(pending: Pending, event: TokenEvent) -> None:
    """Complete a request, unless it was cancelled at the last moment."""
    if not pending.future.done() and pending.future.set_running_or_notify_cancel():
        pending.future.set_result(pending.completion(event))


def refuse(lost: Sequence[Pending], error: Exception) -> None:
    """Tell everybody why there will be no completion."""
    for pending in lost:
        if not pending.future.done() and pending.future.set_running_or_notify_cancel():
            pending.future.set_exception(error)
