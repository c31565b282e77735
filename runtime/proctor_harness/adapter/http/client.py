"""The target's side: one protocol instance a connection, at most one request on it at a time."""

import asyncio
from collections.abc import Callable
from typing import cast

import httptools

from proctor_harness.adapter.content import Content
from proctor_harness.adapter.http.incoming import Incoming, NoAnswerError
from proctor_harness.adapter.http.wire import HOP_BY_HOP
from proctor_harness.adapter.messages import Response, primed


class ClientConnection(asyncio.Protocol):
    """One connection to the target."""

    def __init__(self, release: Callable[["ClientConnection"], None]) -> None:
        self._release = release
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport
        self._incoming: Incoming
        self._busy = False
        self._timer: asyncio.TimerHandle | None = None
        self.idle_since = 0.0

    @property
    def usable(self) -> bool:
        """Whether another request can go over it."""
        return not self._transport.is_closing()

    async def exchange(
        self, message: bytes, timeout_seconds: float, *, head_only: bool
    ) -> Response:
        """Send a request and return its response, whose body may still be arriving.

        Raises NoAnswerError and TimeoutError.
        """
        self._incoming = Incoming(self, head_only=head_only)
        self._busy = True
        self._timer = self._loop.call_later(timeout_seconds, self._expire, timeout_seconds)
        self._transport.write(message)
        try:
            response = await self._incoming.response()
        except BaseException:  # above all, being cancelled: what arrives later is of no use
            self.close()
            raise
        if not isinstance(response.body, Content):
            await primed(response.body)
        return response

    def close(self) -> None:
        """Give the connection up."""
        self._disarm()
        self._transport.abort()

    def read_on(self) -> None:
        """Let more of the answer come."""
        if self._busy and self.usable:
            self._transport.resume_reading()

    # What the transport tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        self._transport = cast("asyncio.Transport", transport)  # as asyncio promises of TCP

    def data_received(self, data: bytes) -> None:
        """Feed the parser, which calls the methods below."""
        if not self._busy:
            self.close()  # nothing was asked, so this answers nothing
            return
        incoming = self._incoming
        incoming.touched = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            incoming.fail(NoAnswerError(f"the answer is not HTTP: {error}"))
            self.close()
            return
        incoming.proceed()
        if incoming.complete:
            self._finish(incoming)
        elif incoming.full:
            self._transport.pause_reading()

    def connection_lost(self, error: Exception | None) -> None:
        """Tell whoever waits."""
        self._disarm()
        if self._busy:
            self._busy = False
            self._incoming.lost(str(error) if error else "the target closed the connection")

    # What the parser tells.

    def on_message_begin(self) -> None:
        """Trust nothing of a server that answers more than it was asked."""
        if self._incoming.complete:
            raise NoAnswerError("the target answers more than it was asked")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect a header."""
        name = name.lower()
        if name == b"content-length":
            self._incoming.length = int(value)
        elif name == b"transfer-encoding":
            self._incoming.chunked = True
        if name not in HOP_BY_HOP:
            self._incoming.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Take the status."""
        self._incoming.head(self._parser.get_status_code())

    def on_body(self, body: bytes) -> None:
        """Collect a piece of the body."""
        self._incoming.add(body)

    def on_message_complete(self) -> None:
        """Note the end; only here does the parser know whether the connection stays."""
        self._incoming.end(keep_alive=self._parser.should_keep_alive())

    def _finish(self, incoming: Incoming) -> None:
        self._disarm()
        self._busy = False
        if incoming.keep_alive and self.usable:
            self._transport.resume_reading()
            self._release(self)
        else:
            self._transport.close()

    def _expire(self, seconds: float) -> None:
        if self._busy:
            self._incoming.fail(TimeoutError(f"no complete answer within {seconds:g} s"))
        self.close()

    def _disarm(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
