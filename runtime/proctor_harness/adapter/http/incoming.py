"""One answer while it arrives."""

import asyncio
from collections import deque
from collections.abc import Awaitable
from typing import Protocol

from proctor_harness.adapter.content import Content
from proctor_harness.adapter.messages import (
    BrokenAnswerError,
    LongAnswerError,
    Response,
    Stream,
)
from proctor_harness.adapter.sse import is_event_stream

BUFFERED_BYTES = 1 << 20
"""Of a streamed answer as much is read ahead."""
MOST_BYTES = 64 << 20
"""A longer answer is broken off, to bound the memory of all who gather it. No model writes so
much: of a question it counts as none."""
STALE_SECONDS = 1.0
"""A connection that was closed while it was idle says so at once; later, the target was at work."""


class NoAnswerError(Exception):
    """The connection broke before an answer began."""


class StaleConnectionError(NoAnswerError):
    """It broke as soon as it was written to: the target closed it while it was idle."""


class Flow(Protocol):
    """The connection, as far as whoever reads an answer may touch it."""

    def read_on(self) -> None:
        """There is room for more."""
        ...

    def close(self) -> None:
        """Nobody wants the rest."""
        ...


class Incoming:
    """Gathers what the parser finds, until a `Response` can be made of it."""

    def __init__(self, flow: "Flow", *, head_only: bool) -> None:
        loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[Response] | None = loop.create_future()
        self._asked = loop.time()
        self._flow = flow
        self._head_only = head_only
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self._chunks: deque[bytes] = deque()
        self._events = False
        self._buffered = 0
        self._reader: asyncio.Future[None] | None = None
        self._error: Exception | None = None
        self.length: int | None = None
        self.chunked = False
        self.touched = False
        self.complete = False
        self.keep_alive = False
        """Whether the next answer begins where this one ended, which of a HEAD's nobody knows."""

    def response(self) -> Awaitable[Response]:
        """The response, to be waited for once."""
        assert self._answer is not None, "it is kept only until it is there"  # noqa: S101
        return self._answer

    @property
    def full(self) -> bool:
        """Whether enough is read ahead of whoever reads the stream."""
        return self._answer is None and self._buffered > BUFFERED_BYTES

    def head(self, status: int) -> None:
        """The head is complete, and with it the answer to a HEAD request."""
        self.status = status
        self._events = is_event_stream(tuple(self.headers))
        self.complete = self._head_only and status >= 200

    def add(self, piece: bytes) -> None:
        """A piece of the body."""
        self._chunks.append(piece)
        self._buffered += len(piece)

    def end(self, *, keep_alive: bool) -> None:
        """The message is complete; if it was an interim one (100, 103), the answer follows."""
        if self.status >= 200:
            self.complete, self.keep_alive = True, keep_alive
        else:
            self.status, self.length, self.chunked = 0, None, False
            self.headers.clear()

    def lost(self, cause: str) -> None:
        """The connection ended: so does a body that has neither length nor chunks."""
        if self.status >= 200 and self.length is None and not self.chunked:
            self.complete = True
            self.proceed()
        elif not self.complete:
            kind = StaleConnectionError if self._stale else NoAnswerError
            self.fail(kind(cause))

    @property
    def _stale(self) -> bool:
        seconds = asyncio.get_running_loop().time() - self._asked
        return not self.touched and seconds < STALE_SECONDS

    def fail(self, error: Exception) -> None:
        """Tell whoever waits."""
        self._error = self._error or error
        # Let go of, because it holds the stream, which holds us: a circle that nobody would drop.
        answer, self._answer = self._answer, None
        if answer and not answer.done():
            answer.set_exception(self._error)
        self._wake()

    def proceed(self) -> None:
        """Hand over what there is."""
        if self._answer is None:
            self._wake()
        elif self.complete:
            self._respond(Content(b"".join(self._chunks)))
        # In one piece an answer can still be retried, and is what the cache will give again.
        elif self.status >= 200 and (self._events or self._buffered > MOST_BYTES):
            self._respond(self._stream())

    def _respond(self, body: Content | Stream) -> None:
        answer, self._answer = self._answer, None
        if answer and not answer.done():
            answer.set_result(Response(self.status, tuple(self.headers), body))

    async def _stream(self) -> Stream:
        left = MOST_BYTES
        try:
            yield b""
            while self._chunks or not self.complete:
                while self._chunks:
                    piece = self._chunks.popleft()
                    self._buffered -= len(piece)
                    left -= len(piece)
                    if left < 0:
                        raise LongAnswerError(f"longer than {MOST_BYTES >> 20} MiB")
                    yield piece
                if self._error:
                    raise BrokenAnswerError(str(self._error)) from self._error
                if not self.complete:
                    await self._more()
        finally:
            if not self.complete:
                self._flow.close()

    async def _more(self) -> None:
        self._flow.read_on()
        self._reader = asyncio.get_running_loop().create_future()
        try:
            await self._reader
        finally:
            self._reader = None

    def _wake(self) -> None:
        if self._reader and not self._reader.done():
            self._reader.set_result(None)
