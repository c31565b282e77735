"""The interceptor that watches: each request, once it ends, becomes one `Exchange`.

It is the outermost, so that what it counts is what the harness got.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import NamedTuple

from proctor_harness.adapter import openai, sse
from proctor_harness.adapter.content import Content, JsonObject
from proctor_harness.adapter.flags import Flag, flags
from proctor_harness.adapter.messages import (
    BrokenAnswerError,
    Endpoint,
    Origin,
    Request,
    Response,
    Stream,
    primed,
)

CAPTURED_BYTES = 4 << 20
"""Of a stream as much is looked at."""
EXCERPT_CHARACTERS = 500

ABANDONED = 499
"""What nginx calls a request whose client left before the answer came."""


class Exchange(NamedTuple):
    """One finished request."""

    ended: float
    """When, in seconds since the epoch."""
    method: str
    target: str
    status: int
    seconds: float
    digest: str
    """SHA-256 of the request's body: the same question has the same digest."""
    items: int
    origin: Origin
    usage: dict[str, int] | None = None
    flags: frozenset[Flag] = frozenset()
    error: str | None = None

    @property
    def answered(self) -> bool:
        """Whether the harness got a good answer, all of it."""
        return 200 <= self.status < 300

    @property
    def asks(self) -> bool:
        """Whether the model was asked."""
        return openai.asks(self.method, self.target)


Sink = Callable[[Exchange], None]


class Observer:
    """Tells every sink about every exchange."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = sinks

    async def __call__(self, request: Request, call_next: Endpoint) -> Response:
        """Pass the request on and watch it to its end."""
        watch = _Watch(request, self._sinks, time.perf_counter())
        try:
            response = await call_next(request)
        except asyncio.CancelledError:
            watch.abandoned()
            raise
        if isinstance(response.body, Content):
            watch.answered(response, response.body)
            return response
        return replace(response, body=await primed(watch.stream(response, response.body)))


@dataclass(frozen=True, slots=True)
class _Watch:
    """One request in flight."""

    request: Request
    sinks: Sequence[Sink]
    started: float

    async def stream(self, response: Response, body: Stream) -> Stream:
        """The answer as it arrives; whatever ends it, it is told once."""
        pieces, size, tail = [], 0, b""
        try:
            async with aclosing(body):
                yield b""
                async for piece in body:
                    if size < CAPTURED_BYTES:
                        pieces.append(piece)
                        size += len(piece)
                    tail = (tail + piece)[-sse.END_BYTES :]
                    yield piece
        except BrokenAnswerError as error:
            self._tell(
                HTTPStatus.BAD_GATEWAY, Origin.TARGET, error=f"the answer broke off: {error}"
            )
            raise
        except (asyncio.CancelledError, GeneratorExit):
            # OpenAI's own client leaves at the last event, before the connection says that it was.
            if sse.done(tail):
                self.answered(response, Content(b"".join(pieces)))
            else:
                self.abandoned()
            raise
        except Exception as error:
            self._tell(HTTPStatus.INTERNAL_SERVER_ERROR, Origin.ADAPTER, error=str(error))
            raise
        self.answered(response, Content(b"".join(pieces)))

    def abandoned(self) -> None:
        """The harness left."""
        self._tell(ABANDONED, Origin.NOBODY, error="the client left before the answer ended")

    def answered(self, response: Response, body: Content) -> None:
        """The harness has all of it."""
        status, origin = response.status, response.origin
        if status >= 300:
            said = body.raw[: 4 * EXCERPT_CHARACTERS].decode(errors="replace")
            self._tell(status, origin, error=said[:EXCERPT_CHARACTERS])
        elif wrong := sse.error(response.headers, body):
            self._tell(
                HTTPStatus.BAD_GATEWAY, origin, error=f"an error in place of an answer: {wrong}"
            )
        else:
            answer = self._answer(response, body)
            usage = openai.counts(answer.get("usage")) if answer else openai.usage(body.raw)
            odd = flags(self.request.body.object or {}, answer) if answer else frozenset()
            self._tell(status, origin, usage=usage or None, odd=odd)

    def _answer(self, response: Response, body: Content) -> JsonObject | None:
        """The answer, unless it is of log-probabilities: those are long, and have no words."""
        asked = self.request.body.object if openai.is_question(self.request) else None
        if asked is None or (asked.get("logprobs") is not None and "messages" not in asked):
            return None
        try:
            return sse.answer(response.headers, body)
        except ValueError:
            return None

    def _tell(
        self,
        status: int,
        origin: Origin,
        *,
        usage: dict[str, int] | None = None,
        odd: frozenset[Flag] = frozenset(),
        error: str | None = None,
    ) -> None:
        request = self.request
        exchange = Exchange(
            ended=time.time(),
            method=request.method,
            target=request.target,
            status=status,
            seconds=time.perf_counter() - self.started,
            digest=hashlib.sha256(request.body.raw).hexdigest(),
            items=openai.items(request.target, request.body),
            origin=origin,
            usage=usage,
            flags=odd,
            error=error,
        )
        for sink in self.sinks:
            sink(exchange)
