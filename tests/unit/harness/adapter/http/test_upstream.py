import asyncio
import json

import pytest

from proctor_harness.adapter.content import Content
from proctor_harness.adapter.http.fetch import fetch
from proctor_harness.adapter.http.pool import Pool, Server
from proctor_harness.adapter.messages import Headers, Origin, Request, Response
from proctor_harness.adapter.upstream import Upstream
from tests.unit.harness.adapter.http.sockets import Reader, Writer, one_request, pool_of

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"

KEY: Headers = ((b"authorization", b"Bearer key"),)
BASIC: Headers = ((b"authorization", b"Basic x"),)


class Hearing:
    """A server that answers and remembers what it heard."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    async def __call__(self, reader: Reader, writer: Writer) -> None:
        while True:
            self.heard.append(await one_request(reader))
            writer.write(OK)


async def asked(
    pool: Pool, key: str | None = "key", headers: Headers = (), seconds: float = 5
) -> Response:
    request = Request("POST", "/v1/x", headers, Content(b"{}"))
    return await Upstream(pool, key, seconds)(request)


@pytest.mark.parametrize(
    ("key", "headers", "expected"),
    [
        ("key", KEY, b"authorization: Bearer key\r\n"),
        ("key", BASIC, b"authorization: Basic x\r\n"),
        ("key", KEY + BASIC, b"authorization: Basic x\r\n"),
        ("key", (), b""),
        (None, (), b""),
    ],
    ids=["the run's", "an interceptor's", "another beside it", "removed", "none"],
)
async def test_by_whose_right_it_asks(key: str | None, headers: Headers, expected: bytes) -> None:
    server = Hearing()
    async with pool_of(server) as (pool, _):
        assert (await asked(pool, key, headers)).origin is Origin.TARGET
    assert server.heard[0].count(b"authorization") == bool(expected)
    assert expected in server.heard[0]
    assert b"accept-encoding: identity\r\n" in server.heard[0]


async def failed(pool: Pool, status: int, words: str, seconds: float = 5) -> None:
    response = await asked(pool, seconds=seconds)
    assert (response.status, response.origin) == (status, Origin.NOBODY)
    assert isinstance(response.body, Content)
    error = json.loads(response.body.raw)["error"]
    assert error["type"] == "upstream_error"
    assert error["message"].startswith(f"no answer from {pool.server.authority}: ")
    assert words in error["message"]


async def test_a_target_that_is_not_there() -> None:
    await failed(Pool(Server("127.0.0.1", 1, tls=False, prefix="")), 502, "refused")


async def test_a_target_that_has_no_name() -> None:
    pool = Pool(Server("no-such-host.invalid", 80, tls=False, prefix=""))
    response = await asked(pool)
    assert (response.status, response.origin) == (502, Origin.NOBODY)


async def test_a_target_that_hangs_up() -> None:
    async def script(reader: Reader, _: Writer) -> None:
        await one_request(reader)

    async with pool_of(script) as (pool, _):
        await failed(pool, 502, "closed the connection")


async def test_a_target_that_says_nothing() -> None:
    async def script(reader: Reader, _: Writer) -> None:
        await reader.read()

    async with pool_of(script) as (pool, _):
        await failed(pool, 504, "no complete answer within 0.05 s", seconds=0.05)


async def test_another_server_is_asked_once() -> None:
    server = Hearing()
    async with pool_of(server) as (pool, connections):
        url = f"http://{pool.server.authority}/jobs/7/?full=1"
        response = await fetch("PATCH", url, {"Content-Type": "application/json"}, b"{}")
        await asyncio.sleep(0)
    assert response.status == 200
    assert server.heard[0].startswith(b"PATCH /jobs/7/?full=1 HTTP/1.1\r\n")
    assert b"content-type: application/json\r\n" in server.heard[0]
    assert connections == [0]


async def test_a_url_without_a_path_means_the_root() -> None:
    server = Hearing()
    async with pool_of(server) as (pool, _):
        await fetch("GET", f"http://{pool.server.authority}", {}, b"")
    assert server.heard[0].startswith(b"GET / HTTP/1.1\r\n")
