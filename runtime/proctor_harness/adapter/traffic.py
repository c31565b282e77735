"""The interceptor that watches: each request, once it ends, becomes one `Exchange`.

It copies nothing on the way but references to the chunks, and looks into them only at the end.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http import HTTPStatus

from proctor_harness.adapter import openai
from proctor_harness.adapter.messages import Body, BrokenAnswerError, Endpoint, Request, Response

CAPTURE_BYTES = 4 << 20
"""Of a body larger than this only the first part is looked at."""

ABANDONED = 499
"""What nginx calls a request whose client left before the answer came."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One finished request."""

    at: datetime
    method: str
    target: str
    status: int
    seconds: float
    digest: str
    """SHA-256 of the request's body: the same question has the same digest."""
    items: int
    usage: dict[str, int] | None
    error: str | None

    @property
    def answered(self) -> bool:
        """Whether the target gave a good answer and the harness received all of it."""
        return 200 <= self.status < 300


Sink = Callable[[Exchange], None]


@dataclass(slots=True)
class _Capture:
    """What passed by, up to a limit."""

    chunks: list[bytes] = field(default_factory=list)
    size: int = 0

    def add(self, chunk: bytes) -> None:
        if self.size < CAPTURE_BYTES:
            self.chunks.append(chunk)
        self.size += len(chunk)

    async def tee(self, body: Body) -> Body:
        async with aclosing(body):
            async for chunk in body:
                self.add(chunk)
                yield chunk

    def content(self) -> bytes:
        return b"".join(self.chunks)


@dataclass(slots=True)
class _Watch:
    """One request in flight."""

    request: Request
    at: datetime
    started: float
    sent: _Capture = field(default_factory=_Capture)
    received: _Capture = field(default_factory=_Capture)

    def ended(self, status: int, error: str | None) -> Exchange:
        sent, received = self.sent.content(), self.received.content()
        return Exchange(
            at=self.at,
            method=self.request.method,
            target=self.request.target,
            status=status,
            seconds=time.perf_counter() - self.started,
            digest=hashlib.sha256(sent).hexdigest(),
            items=openai.items(self.request.target, sent),
            usage=openai.usage(received),
            error=error or (received[:500].decode(errors="replace") if status >= 400 else None),
        )


class Observer:
    """Tells every sink about every exchange."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = sinks

    async def __call__(self, request: Request, call_next: Endpoint) -> Response:
        """Pass the request on and watch it to its end."""
        watch = _Watch(request, datetime.now(UTC), time.perf_counter())
        try:
            response = await call_next(replace(request, body=watch.sent.tee(request.body)))
        except asyncio.CancelledError:
            self._tell(watch, ABANDONED, "the client left before the answer began")
            raise
        return replace(response, body=self._watched(watch, response))

    async def _watched(self, watch: _Watch, response: Response) -> Body:
        status, error = ABANDONED, "the client left before the answer ended"
        try:
            async with aclosing(watch.received.tee(response.body)) as body:
                async for chunk in body:
                    yield chunk
            status, error = response.status, ""
        except BrokenAnswerError as broken:
            status, error = HTTPStatus.BAD_GATEWAY, f"the answer broke off: {broken}"
            raise
        finally:
            self._tell(watch, status, error or None)

    def _tell(self, watch: _Watch, status: int, error: str | None) -> None:
        exchange = watch.ended(status, error)
        for sink in self._sinks:
            sink(exchange)
