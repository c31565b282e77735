import asyncio

import pytest

from proctor_harness.adapter.content import Content
from proctor_harness.adapter.limit import Limit
from proctor_harness.adapter.messages import Request, Response
from tests.unit.harness.adapter.asking import Target, ask, question, reply, streamed


async def test_so_many_and_no_more_are_asked_at_once() -> None:
    limit, now, most = Limit(3), 0, 0

    async def answer(_: Request) -> Response:
        nonlocal now, most
        now, most = now + 1, max(most, now + 1)
        await asyncio.sleep(0)
        now -= 1
        return Response(200, (), Content(b""))

    await asyncio.gather(*(limit(question(), answer) for _ in range(20)))
    assert most == 3


async def test_a_stream_holds_its_place_until_it_ends() -> None:
    limit = Limit(1)
    response = await limit(question(), Target([await streamed(b"a")]))
    waiting = asyncio.create_task(ask(limit, question(), Target([reply()])))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    assert not isinstance(response.body, Content)
    assert [piece async for piece in response.body] == [b"a"]
    assert (await waiting).status == 200


async def test_a_stream_that_is_dropped_gives_its_place_back() -> None:
    limit = Limit(1)
    response = await limit(question(), Target([await streamed(b"a")]))
    assert not isinstance(response.body, Content)
    await response.body.aclose()
    async with asyncio.timeout(10):
        assert (await ask(limit, question(), Target())).status == 200


async def test_a_failure_gives_its_place_back() -> None:
    limit = Limit(1)
    with pytest.raises(OSError, match="x"):
        await limit(question(), Target([OSError("x")]))
    async with asyncio.timeout(10):
        assert (await ask(limit, question(), Target())).status == 200
