"""Where requests are measured: around the engine's queue, and around the HTTP application."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from proctor_runtime.engine.batcher import OnEvent, OnStart, nobody_listens, nobody_waits
from proctor_runtime.engine.protocol import Completion, GenerateRequest, TokenEvent
from proctor_runtime.openai.metrics import Metrics
from proctor_runtime.openai.readiness import PROBE
from proctor_runtime.transports.protocol import EngineQueue

Clock = Callable[[], float]


@dataclass(slots=True)
class Watched:
    """One request under way."""

    request: GenerateRequest
    metrics: Metrics
    clock: Clock
    on_event: OnEvent
    on_start: OnStart
    arrived: float
    started: float = 0.0
    first: float = 0.0
    last: float = 0.0
    made: int = 0

    def start(self) -> None:
        """Take in that the engine begins, in its thread."""
        self.started = self.clock()
        self.on_start()

    def hear(self, event: TokenEvent) -> None:
        """Take in an event, in the engine's thread."""
        if event.token is not None:
            self._time_token(self.clock())
        self.on_event(event)

    def _time_token(self, now: float) -> None:
        if self.made:
            self.metrics.between_tokens.observe(now - self.last)
        else:
            self.first = now
            self.metrics.first_token.observe(now - self.arrived)
        self.last = now
        self.made += 1

    def end(self, future: "Future[Completion]") -> None:
        """Take in the end."""
        reason = how_it_ended(future)
        self.metrics.ended(reason)
        if reason in ("stop", "length"):
            self._time_whole(self.clock())

    def _time_whole(self, now: float) -> None:
        metrics = self.metrics
        metrics.whole.observe(now - self.arrived)
        metrics.queue.observe(self.started - self.arrived)
        # Of a request that makes no token all is prefill.
        metrics.prefill.observe((self.first or now) - self.started)
        metrics.inference.observe((self.last or now) - self.started)
        metrics.prompt.observe(len(self.request.prompt))
        metrics.generated.observe(self.made)
        metrics.wanted.observe(self.request.max_new_tokens)
        if self.made > 1:
            metrics.decode.observe(self.last - self.first)
            metrics.per_token.observe((self.last - self.first) / (self.made - 1))


def how_it_ended(future: "Future[Completion]") -> str:
    """Return a finished request's ``finished_reason``."""
    if future.cancelled():
        return "abort"
    return "error" if future.exception() else future.result().finish


class MeteredQueue:
    """The engine's queue, and how long its requests take; probes of readiness do not count."""

    def __init__(
        self, queue: EngineQueue, metrics: Metrics, clock: Clock = time.perf_counter
    ) -> None:
        self._queue = queue
        self._metrics = metrics
        self._clock = clock

    def submit(
        self,
        request: GenerateRequest,
        on_event: OnEvent = nobody_listens,
        on_start: OnStart = nobody_waits,
    ) -> "Future[Completion]":
        """Queue a request."""
        if request == PROBE:
            return self._queue.submit(request, on_event, on_start)
        now = self._clock()
        watched = Watched(request, self._metrics, self._clock, on_event, on_start, now)
        future = self._queue.submit(request, watched.hear, watched.start)
        future.add_done_callback(watched.end)
        return future


class HttpMeter:
    """Counts answers by route and status."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500
        begin = time.perf_counter()

        async def send_and_see(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_see)
        finally:
            seconds = time.perf_counter() - begin
            self._metrics.answered(handler_of(scope), scope["method"], status, seconds)


def handler_of(scope: Scope) -> str:
    """Return the route's path, for paths that nobody serves would fill the registry."""
    return getattr(scope.get("route"), "path", "none")
