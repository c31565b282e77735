import asyncio

import pytest

from proctor_harness.adapter.content import Content
from proctor_harness.adapter.http import server
from proctor_harness.adapter.messages import Request, Response, Stream, primed
from tests.unit.harness.adapter.asking import streamed
from tests.unit.harness.adapter.http.sockets import client_of


async def echo(request: Request) -> Response:
    said = f"{request.method} {request.target} {request.body.raw.decode()}".encode()
    return Response(200, request.headers, Content(said))


async def exchanged(sent: bytes, answer: server.Endpoint = echo) -> bytes:
    """All that comes back until the connection is closed."""
    async with client_of(answer) as (reader, writer), asyncio.timeout(10):
        writer.write(sent)
        return await reader.read()


POST = b"POST /x?a=%2F HTTP/1.1\r\ncontent-length: 2\r\nX-Own: 1\r\n"
CLOSE = b"connection: close\r\n\r\n"


async def test_a_request_is_answered_with_its_length() -> None:
    assert await exchanged(POST + CLOSE + b"ab") == (
        b"HTTP/1.1 200 OK\r\nx-own: 1\r\nconnection: close\r\n"
        b"content-length: 16\r\n\r\nPOST /x?a=%2F ab"
    )


async def test_a_connection_is_kept() -> None:
    async with client_of(echo) as (reader, writer), asyncio.timeout(10):
        for _ in range(3):
            writer.write(POST + b"\r\nab")
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"connection: close" not in head
            assert await reader.readexactly(16) == b"POST /x?a=%2F ab"


async def test_a_request_may_come_in_any_pieces() -> None:
    async with client_of(echo) as (reader, writer), asyncio.timeout(10):
        for byte in POST + CLOSE + b"ab":
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)
        assert (await reader.read()).endswith(b"POST /x?a=%2F ab")


async def test_a_chunked_request_is_put_together() -> None:
    sent = b"POST /x HTTP/1.1\r\ntransfer-encoding: chunked\r\n" + CLOSE
    assert (await exchanged(sent + b"2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n")).endswith(b"POST /x abcde")


async def test_a_client_that_waits_to_be_invited_is_invited() -> None:
    async with client_of(echo) as (reader, writer), asyncio.timeout(10):
        writer.write(POST + b"expect: 100-continue\r\n" + CLOSE)
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"ab")
        assert (await reader.read()).endswith(b"POST /x?a=%2F ab")


async def test_a_stream_is_sent_in_chunks_as_it_comes() -> None:
    go_on = asyncio.Event()

    async def tokens() -> Stream:
        yield b""
        yield b"one"
        yield b""
        await go_on.wait()
        yield b"second"

    async def answer(_: Request) -> Response:
        return Response(200, (), await primed(tokens()))

    async with client_of(answer) as (reader, writer), asyncio.timeout(10):
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head == b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
        assert await reader.readexactly(8) == b"3\r\none\r\n"
        go_on.set()
        assert await reader.readexactly(16) == b"6\r\nsecond\r\n0\r\n\r\n"


async def test_an_old_client_gets_a_stream_without_chunks() -> None:
    async def answer(_: Request) -> Response:
        return await streamed(b"one", b"two")

    got = await exchanged(b"GET / HTTP/1.0\r\n\r\n", answer)
    assert b"transfer-encoding" not in got
    assert got.endswith(b"connection: close\r\n\r\nonetwo")


async def test_a_stream_that_breaks_breaks_the_connection() -> None:
    async def answer(_: Request) -> Response:
        return await streamed(b"one", broken=True)

    async with client_of(answer) as (reader, writer), asyncio.timeout(10):
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(1000)


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
async def test_some_answers_have_no_body(method: str, status: int) -> None:
    async def answer(_: Request) -> Response:
        return Response(status, ((b"content-length", b"7"),), Content(b"not me"))

    got = await exchanged(f"{method} / HTTP/1.1\r\n".encode() + CLOSE, answer)
    assert got.startswith(b"HTTP/1.1 %d " % status)
    assert got.endswith(b"content-length: 7\r\nconnection: close\r\n\r\n")


async def test_the_chains_framing_is_not_the_connections() -> None:
    async def answer(_: Request) -> Response:
        headers = ((b"content-length", b"99"), (b"transfer-encoding", b"chunked"), (b"a", b"b"))
        return Response(299, headers, Content(b"changed"))

    got = await exchanged(b"GET / HTTP/1.1\r\n" + CLOSE, answer)
    assert got.split(b"\r\n")[1:] == [
        b"a: b",
        b"connection: close",
        b"content-length: 7",
        b"",
        b"changed",
    ]


@pytest.mark.parametrize(
    ("sent", "status", "words"),
    [
        (b"nonsense\r\n\r\n", 400, b"malformed request"),
        (b"POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n", 400, b"malformed request"),
        (
            b"POST / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
            400,
            b"malformed request",
        ),
        (b"GET / HTTP/1.1\r\nx: " + b"y" * (65 << 10) + b"\r\n\r\n", 431, b"head is longer"),
        (b"GET /" + b"y" * (65 << 10) + b" HTTP/1.1\r\n\r\n", 431, b"head is longer"),
        (b"GET / HTTP/1.1\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n", 501, b"protocols"),
        (b"CONNECT host:1 HTTP/1.1\r\n\r\n", 501, b"protocols"),
    ],
)
async def test_what_it_cannot_read_is_refused(sent: bytes, status: int, words: bytes) -> None:
    asked: list[Request] = []

    async def answer(request: Request) -> Response:
        asked.append(request)
        return await echo(request)

    got = await exchanged(sent, answer)
    assert got.startswith(b"HTTP/1.1 %d " % status)
    assert words in got
    assert got.count(b"HTTP/1.1") == 1
    assert asked == []


async def test_a_request_may_be_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "BODY_BYTES", 10)
    sent = b"POST / HTTP/1.1\r\ncontent-length: 11\r\n\r\n" + b"x" * 11
    assert (await exchanged(sent)).startswith(b"HTTP/1.1 413 ")


async def test_pipelining_is_refused_after_the_first_answer() -> None:
    asked: list[str] = []

    async def answer(request: Request) -> Response:
        asked.append(request.target)
        await asyncio.sleep(0.01)
        return await echo(request)

    got = await exchanged(b"GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n", answer)
    assert asked == ["/1"]
    assert got.index(b"GET /1 ") < got.index(b"HTTP/1.1 400 ")
    assert b"does not pipeline" in got


async def test_a_client_that_leaves_cancels_its_request() -> None:
    cancelled = asyncio.Event()

    async def answer(_: Request) -> Response:
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()
        raise AssertionError

    async with client_of(answer) as (_, writer), asyncio.timeout(10):
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await asyncio.sleep(0.01)
        writer.close()
        await cancelled.wait()


async def test_a_client_that_leaves_ends_its_stream() -> None:
    ended = asyncio.Event()

    async def endless() -> Stream:
        try:
            while True:
                yield b"x" * 1000
                await asyncio.sleep(0)
        finally:
            ended.set()

    async def answer(_: Request) -> Response:
        return Response(200, (), await primed(endless()))

    async with client_of(answer) as (reader, writer), asyncio.timeout(10):
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await reader.readexactly(100)
        writer.close()
        await ended.wait()


async def test_a_client_that_reads_slowly_slows_the_stream() -> None:
    made = 0

    async def endless() -> Stream:
        nonlocal made
        while True:
            yield b"x" * 65536
            made += 65536

    async def answer(_: Request) -> Response:
        return Response(200, (), await primed(endless()))

    async with client_of(answer) as (reader, writer), asyncio.timeout(20):
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        first = -1
        while made != first:
            first = made
            await asyncio.sleep(0.2)
            assert made < 64 << 20
        await reader.readexactly(first)
        while made == first:  # noqa: ASYNC110  the stream tells nobody
            await asyncio.sleep(0.02)


class LeftTransport(asyncio.Transport):
    """A client that leaves at the first byte, as the loop tells when it next runs."""

    def __init__(self) -> None:
        super().__init__()
        self.left = asyncio.Event()

    def write(self, _data: bytes | bytearray | memoryview) -> None:
        self.left.set()

    def is_closing(self) -> bool:
        return self.left.is_set()

    def close(self) -> None:
        """It is."""


async def test_a_client_that_left_ends_a_stream_that_never_waits() -> None:
    made = 0

    async def ready() -> Stream:
        nonlocal made
        for made in range(1000):  # noqa: B007  counted
            yield b"x"

    async def answer(_: Request) -> Response:
        return Response(200, (), ready())

    connection, transport = server.server_protocol(answer)(), LeftTransport()
    connection.connection_made(transport)
    connection.data_received(b"GET / HTTP/1.1\r\n\r\n")
    await transport.left.wait()
    connection.connection_lost(None)
    assert made < 2


async def test_a_defect_of_ours_breaks_the_connection_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def answer(_: Request) -> Response:
        raise ZeroDivisionError

    async with client_of(answer) as (reader, writer), asyncio.timeout(10):
        writer.write(b"GET /x HTTP/1.1\r\n\r\n")
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
    assert "ZeroDivisionError" in caplog.text
