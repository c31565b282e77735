import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import pytest

from proctor_harness.adapter.content import Content
from proctor_harness.adapter.http import incoming
from proctor_harness.adapter.http import pool as pool_module
from proctor_harness.adapter.http.incoming import BUFFERED_BYTES, MOST_BYTES, NoAnswerError
from proctor_harness.adapter.http.pool import Pool
from proctor_harness.adapter.messages import BrokenAnswerError, LongAnswerError, Response
from tests.unit.harness.adapter.http.sockets import Reader, Script, Writer, one_request, pool_of

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n"
EVENTS = CHUNKED + b"content-type: text/event-stream\r\n\r\n"


def answering(*pieces: bytes, keep: bool = True) -> Script:
    """Answer each request with these pieces, one after the other."""

    async def script(reader: Reader, writer: Writer) -> None:
        while True:
            await one_request(reader)
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.005)
            if not keep:
                return

    return script


async def send(
    pool: Pool, method: str = "POST", body: bytes = b"{}", seconds: float = 10
) -> Response:
    return await pool.send(method, "/x", ((b"a", b"b"),), body, seconds)


async def read(response: Response) -> bytes:
    assert not isinstance(response.body, Content)
    return b"".join([piece async for piece in response.body])


def raw(response: Response) -> bytes:
    assert isinstance(response.body, Content)
    return response.body.raw


async def test_what_is_sent() -> None:
    got: list[bytes] = []

    async def script(reader: Reader, writer: Writer) -> None:
        for _ in range(3):
            got.append(await one_request(reader))
            writer.write(OK + b"content-length: 0\r\n\r\n")

    async with pool_of(script) as (pool, _):
        headers = ((b"a", b"b"), (b"host", b"evil"), (b"content-length", b"9"))
        await pool.send("POST", "/x?y=%2F", headers, b"{}", 10)
        await send(pool, "GET", b"")
        await send(pool, "POST", b"")
        host = pool.server.authority.encode()
    first = b"POST /x?y=%2F HTTP/1.1\r\nhost: " + host + b"\r\na: b\r\ncontent-length: 2\r\n\r\n{}"
    assert got[0] == first
    assert b"content-length" not in got[1]
    assert got[2].endswith(b"content-length: 0\r\n\r\n")


@pytest.mark.parametrize(
    "pieces",
    [
        [OK + b"content-length: 4\r\nX: y\r\n\r\nabcd"],
        [OK + b"content-length: 4\r\nX: y\r\n\r\n", b"ab", b"cd"],
        [OK + b"transfer-encoding: chunked\r\nX: y\r\n\r\n2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n"],
        [CHUNKED + b"X: y\r\n\r\n2\r\nab\r\n", b"2\r\ncd\r\n0\r\n\r\n"],
        [b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"content-length: 4\r\nX: y\r\n\r\nabcd"],
        [
            b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n",
            OK + b"content-length: 4\r\nX: y\r\n\r\nabcd",
        ],
    ],
    ids=["at once", "in pieces", "chunked", "chunks in pieces", "continue", "hints"],
)
async def test_an_answer_is_whole_unless_it_is_of_events(pieces: list[bytes]) -> None:
    async with pool_of(answering(*pieces)) as (pool, connections):
        for _ in range(3):
            response = await send(pool)
            assert (response.status, raw(response)) == (200, b"abcd")
            assert (b"x", b"y") in response.headers
            assert all(name not in (b"transfer-encoding", b"link") for name, _ in response.headers)
        assert connections == [0]


async def test_events_are_passed_on_as_they_come() -> None:
    go_on = asyncio.Event()

    async def script(reader: Reader, writer: Writer) -> None:
        await one_request(reader)
        writer.write(EVENTS + b"3\r\none\r\n")
        await go_on.wait()
        writer.write(b"3\r\ntwo\r\n0\r\n\r\n")
        await one_request(reader)
        writer.write(OK + b"content-length: 1\r\n\r\n1")

    async with pool_of(script) as (pool, connections), asyncio.timeout(10):
        response = await send(pool)
        assert not isinstance(response.body, Content)
        assert await anext(response.body) == b"one"
        go_on.set()
        assert await read(response) == b"two"
        assert raw(await send(pool)) == b"1"
        assert connections == [0]


async def until(probe: Callable[[], object]) -> None:
    """Let the connections go on until it is so."""
    async with asyncio.timeout(10):
        while not probe():  # noqa: ASYNC110  a pool tells nobody
            await asyncio.sleep(0)


async def test_an_answer_still_being_read_is_not_overwritten_by_the_next() -> None:
    """Its connection may be in use again before its reader has taken the last pieces."""
    body = b"4\r\nabcd\r\n"
    async with pool_of(answering(EVENTS + body, b"0\r\n\r\n")) as (pool, connections):
        first = await send(pool)
        await until(lambda: pool._idle)
        second = await send(pool)
        assert [await read(first), await read(second)] == [b"abcd", b"abcd"]
        assert connections == [0]


HEADS = {
    "of known length": OK + b"content-length: %d\r\n\r\n" % (2 * MOST_BYTES),
    "chunked": CHUNKED + b"\r\n%x\r\n" % (2 * MOST_BYTES),
    "of events": EVENTS + b"%x\r\n" % (2 * MOST_BYTES),
    "an error's page": b"HTTP/1.1 500 No\r\ncontent-length: %d\r\n\r\n" % (2 * MOST_BYTES),
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
async def test_what_no_model_writes_is_broken_off(head: bytes) -> None:
    sent = 0

    async def script(reader: Reader, writer: Writer) -> None:
        nonlocal sent
        await one_request(reader)
        writer.write(head)
        with suppress(ConnectionError):
            while sent < 2 * MOST_BYTES:
                writer.write(b"x" * 65536)
                await writer.drain()
                sent += 65536

    async with pool_of(script) as (pool, _), asyncio.timeout(20):
        response = await send(pool)
        with pytest.raises(LongAnswerError, match="longer than 64 MiB"):
            await read(response)
    assert MOST_BYTES < sent < 2 * MOST_BYTES


async def test_an_answer_may_end_with_its_connection() -> None:
    async with pool_of(answering(OK + b"\r\nab", b"cd", keep=False)) as (pool, connections):
        assert [raw(await send(pool)) for _ in range(2)] == [b"abcd", b"abcd"]
        assert connections == [0, 1]


async def test_a_server_that_closes_is_asked_on_another_connection() -> None:
    pieces = OK + b"content-length: 1\r\nconnection: close\r\n\r\n1"
    async with pool_of(answering(pieces, keep=False)) as (pool, connections):
        assert [raw(await send(pool)) for _ in range(2)] == [b"1", b"1"]
        assert connections == [0, 1]


async def test_a_connection_that_died_while_idle_costs_nothing() -> None:
    async with pool_of(answering(OK + b"content-length: 1\r\n\r\n1", keep=False)) as (pool, _):
        for _ in range(3):
            assert raw(await send(pool)) == b"1"
            await asyncio.sleep(0.02)


async def test_a_request_that_meets_a_closing_connection_is_sent_again() -> None:
    """The target closes just as we send: it has read nothing, so nothing is asked twice."""

    async def script(reader: Reader, writer: Writer) -> None:
        await one_request(reader)
        writer.write(OK + b"content-length: 1\r\n\r\n1")
        await reader.readexactly(1)
        writer.transport.abort()

    async with pool_of(script) as (pool, connections):
        for _ in range(2):
            assert raw(await send(pool)) == b"1"
        assert connections == [0, 1]


async def test_a_connection_that_dies_at_work_is_no_idle_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The target has read the question, and may have been at it for minutes."""
    monkeypatch.setattr(incoming, "STALE_SECONDS", 0.05)

    async def script(reader: Reader, writer: Writer) -> None:
        await one_request(reader)
        writer.write(OK + b"content-length: 1\r\n\r\n1")
        await one_request(reader)
        await asyncio.sleep(0.1)

    async with pool_of(script) as (pool, connections):
        assert raw(await send(pool)) == b"1"
        with pytest.raises(NoAnswerError, match="closed the connection"):
            await send(pool)
        assert connections == [0]


async def test_an_idle_connection_is_not_trusted_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "IDLE_SECONDS", 0.01)
    async with pool_of(answering(OK + b"content-length: 1\r\n\r\n1")) as (pool, connections):
        await send(pool)
        await asyncio.sleep(0.05)
        await send(pool)
        assert connections == [0, 1]


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        ([b""], "closed the connection"),
        ([b"SSH-2.0\r\n"], "is not HTTP"),
        ([OK + b"content-length: 9\r\n\r\nab"], "closed the connection"),
        ([CHUNKED + b"\r\n2\r\nab\r\n"], "closed the connection"),
        ([OK[:10]], "closed the connection"),
    ],
    ids=["silence", "other protocol", "cut body", "cut chunks", "cut head"],
)
async def test_no_answer(pieces: list[bytes], words: str) -> None:
    async with pool_of(answering(*pieces, keep=False)) as (pool, _):
        with pytest.raises((NoAnswerError, ConnectionError), match=words):
            await send(pool)


async def test_a_stream_that_is_cut_says_so() -> None:
    async with pool_of(answering(EVENTS + b"2\r\nab\r\n", keep=False)) as (pool, _):
        with pytest.raises(BrokenAnswerError, match="closed the connection"):
            await read(await send(pool))


async def test_a_silent_server_is_not_waited_for() -> None:
    async def script(reader: Reader, writer: Writer) -> None:
        await reader.read()

    async with pool_of(script) as (pool, _):
        with pytest.raises(TimeoutError, match=r"no complete answer within 0\.05 s"):
            await send(pool, seconds=0.05)


async def test_a_stream_that_stops_is_not_waited_for() -> None:
    async def script(reader: Reader, writer: Writer) -> None:
        await one_request(reader)
        writer.write(EVENTS + b"2\r\nab\r\n")
        await reader.read()

    async with pool_of(script) as (pool, _):
        with pytest.raises(BrokenAnswerError, match="no complete answer within"):
            await read(await send(pool, seconds=1))


@pytest.fixture
async def hanging() -> AsyncIterator[tuple[Pool, asyncio.Event]]:
    left = asyncio.Event()

    async def script(reader: Reader, writer: Writer) -> None:
        await one_request(reader)
        writer.write(EVENTS + b"2\r\nab\r\n")
        await reader.read()
        left.set()

    async with pool_of(script) as (pool, _), asyncio.timeout(10):
        yield pool, left


async def test_a_cancelled_request_closes_its_connection() -> None:
    heard, left = asyncio.Event(), asyncio.Event()

    async def script(reader: Reader, _: Writer) -> None:
        await one_request(reader)
        heard.set()
        await reader.read()
        left.set()

    async with pool_of(script) as (pool, _), asyncio.timeout(10):
        asking = asyncio.create_task(send(pool))
        await heard.wait()
        asking.cancel()
        await left.wait()


async def test_a_stream_that_is_not_read_to_its_end_closes_its_connection(
    hanging: tuple[Pool, asyncio.Event],
) -> None:
    pool, left = hanging
    response = await send(pool)
    assert not isinstance(response.body, Content)
    await response.body.aclose()
    await left.wait()


async def test_a_stream_that_is_dropped_closes_its_connection(
    hanging: tuple[Pool, asyncio.Event],
) -> None:
    pool, left = hanging
    await send(pool)
    await left.wait()


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
async def test_some_answers_have_no_body(method: str, status: int) -> None:
    head = b"HTTP/1.1 %d X\r\ncontent-length: 7\r\n\r\n" % status
    head = head if method == "HEAD" else head.replace(b"content-length: 7\r\n", b"")
    async with pool_of(answering(head)) as (pool, _), asyncio.timeout(10):
        for _ in range(2):
            response = await send(pool, method, b"")
            assert (response.status, raw(response)) == (status, b"")


async def test_an_answer_that_nobody_asked_for_is_not_taken_for_the_next() -> None:
    answer = OK + b"content-length: 1\r\n\r\n"
    async with pool_of(answering(answer + b"1", answer + b"2")) as (pool, connections):
        assert raw(await send(pool)) == b"1"
        [idle] = pool._idle
        await until(lambda: not idle.usable)
        assert raw(await send(pool)) == b"1"
        assert connections == [0, 1]


async def test_two_answers_at_once_are_a_broken_server() -> None:
    answer = OK + b"content-length: 1\r\n\r\n"
    async with pool_of(answering(answer + b"1" + answer + b"2")) as (pool, connections):
        with pytest.raises(NoAnswerError):
            await send(pool)
        assert connections == [0]


async def test_requests_at_once_take_a_connection_each() -> None:
    async with pool_of(answering(OK + b"content-length: 1\r\n\r\n", b"1")) as (pool, connections):
        await asyncio.gather(*(send(pool) for _ in range(5)))
        await asyncio.gather(*(send(pool) for _ in range(5)))
        assert len(connections) == 5


def test_what_is_read_ahead_is_bounded() -> None:
    assert BUFFERED_BYTES <= 1 << 20
