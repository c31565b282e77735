"""The harness's side: one protocol instance a connection, one request at a time.

Requests are read whole before they are answered, because interceptors and retries need them whole;
responses go out as they come. A client that leaves cancels its request. There is no idle timeout:
the only client is the harness beside us, and a connection that closes in its hands costs a retry.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing
from typing import NamedTuple, cast

import httptools

from proctor_harness.adapter.content import Content
from proctor_harness.adapter.http.flow import WriteGate
from proctor_harness.adapter.http.wire import (
    BODILESS,
    CHUNKED,
    CONTINUE,
    FRAMING,
    HOP_BY_HOP,
    LAST_CHUNK,
    chunk,
    header_lines,
    status_line,
)
from proctor_harness.adapter.messages import (
    BrokenAnswerError,
    Endpoint,
    Request,
    Response,
    Stream,
    discard,
    error_response,
)

HEADER_BYTES = 64 << 10
BODY_BYTES = 256 << 20
"""Longest request: far beyond any prompt, and below what would exhaust the pod."""

logger = logging.getLogger(__name__)


class ServerConnection(asyncio.Protocol):
    """One connection of a client."""

    def __init__(self, answer: Endpoint) -> None:
        self._answer = answer
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._gate = WriteGate()
        self._transport: asyncio.Transport
        self._task: asyncio.Task[None] | None = None
        self._refusal: Response | None = None
        self._reset()

    def _reset(self) -> None:
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._chunks: list[bytes] = []
        self._header_bytes = 0
        self._body_bytes = 0

    # What the transport tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        self._transport = cast("asyncio.Transport", transport)  # as asyncio promises of TCP

    def connection_lost(self, _: Exception | None) -> None:
        """Stop asking the target for what nobody waits for any more."""
        self._gate.close()
        if self._task:
            self._task.cancel()

    def pause_writing(self) -> None:
        """The client reads more slowly than the target writes."""
        self._gate.shut()

    def resume_writing(self) -> None:
        """It caught up."""
        self._gate.open()

    def data_received(self, data: bytes) -> None:
        """Feed the parser, which calls the methods below."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # refused when its request was complete
        except httptools.HttpParserError as error:
            self._refuse(400, f"malformed request: {error}")

    # What the parser tells.

    def on_message_begin(self) -> None:
        """Refuse a request before the answer to the last: only a faulty client pipelines."""
        if self._task:
            self._refuse(
                400, "the request before is not answered yet: this proxy does not pipeline"
            )

    def on_url(self, url: bytes) -> None:
        """Collect the target."""
        self._target += url
        self._limit_headers(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect a header."""
        self._headers.append((name.lower(), value))
        self._limit_headers(len(name) + len(value))

    def on_headers_complete(self) -> None:
        """Invite a body whose sender waits to be invited."""
        if (b"expect", b"100-continue") in self._headers and not self._refusal:
            self._transport.write(CONTINUE)

    def on_body(self, body: bytes) -> None:
        """Collect a piece of the body."""
        self._body_bytes += len(body)
        if self._body_bytes > BODY_BYTES:
            self._refuse(413, f"the request is longer than {BODY_BYTES} bytes")
        else:
            self._chunks.append(body)

    def on_message_complete(self) -> None:
        """Answer."""
        if self._parser.should_upgrade():
            self._refuse(501, "this proxy does not change protocols")
        if self._refusal:
            return
        request = Request(
            self._parser.get_method().decode(),
            self._target.decode("latin-1"),
            tuple(self._headers),
            Content(b"".join(self._chunks)),
        )
        self._reset()
        how = _Framing(
            keep_alive=self._parser.should_keep_alive(),
            chunked=self._parser.get_http_version() == "1.1",
        )
        self._task = self._loop.create_task(self._serve(request, how))

    def _limit_headers(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > HEADER_BYTES:
            self._refuse(431, f"the request's head is longer than {HEADER_BYTES} bytes")

    def _refuse(self, status: int, message: str) -> None:
        """Answer with an error, after what is being answered, and close."""
        if self._refusal:
            return
        self._refusal = error_response(status, "invalid_request_error", message)
        self._transport.pause_reading()
        if not self._task:
            self._task = self._loop.create_task(self._end())

    # The answer.

    async def _serve(self, request: Request, how: "_Framing") -> None:
        try:
            await self._reply(request.method, await self._answer(request), how)
        except BrokenAnswerError as error:
            # The status is out. Only a connection that breaks can still tell the client.
            logger.warning("%s %s: the answer broke off: %s", request.method, request.target, error)
            self._transport.abort()
        except Exception:
            logger.exception("%s %s", request.method, request.target)
            self._transport.abort()
        self._task = None
        if self._refusal:
            await self._end()
        elif not how.keep_alive:
            self._transport.close()

    async def _end(self) -> None:
        if self._refusal:
            await self._reply("GET", self._refusal, _Framing(keep_alive=False, chunked=False))
        self._transport.close()

    async def _reply(self, method: str, response: Response, how: "_Framing") -> None:
        bodiless = method == "HEAD" or response.status in BODILESS
        head = status_line(response.status)
        head += header_lines(response.headers, HOP_BY_HOP if bodiless else FRAMING)
        if not how.keep_alive:
            head += b"connection: close\r\n"
        if bodiless:
            self._transport.write(head + b"\r\n")
            await discard(response)
        elif isinstance(response.body, Content):
            content = response.body.raw
            self._transport.write(b"%bcontent-length: %d\r\n\r\n%b" % (head, len(content), content))
            await self._gate.passed()
        else:
            await self._stream(head, response.body, how)

    async def _stream(self, head: bytes, body: Stream, how: "_Framing") -> None:
        encode = chunk if how.chunked else bytes
        self._transport.write(head + (CHUNKED if how.chunked else b"\r\n"))
        async with aclosing(body):
            async for piece in body:
                if piece:  # an empty chunk would end the body
                    self._transport.write(encode(piece))
                    if self._transport.is_closing():
                        # A body that never has to wait would keep from us that the client left.
                        self._gate.shut()
                    await self._gate.passed()
        if how.chunked:
            self._transport.write(LAST_CHUNK)


class _Framing(NamedTuple):
    """How the client wants its answer: HTTP/1.0 knows neither."""

    keep_alive: bool
    chunked: bool


def server_protocol(answer: Endpoint) -> Callable[[], ServerConnection]:
    """What `loop.create_server` makes a protocol by."""
    return lambda: ServerConnection(answer)
