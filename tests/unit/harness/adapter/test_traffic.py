import asyncio
import contextlib
import json
from typing import Any

import pytest

from proctor_harness.adapter.content import Content
from proctor_harness.adapter.flags import Flag
from proctor_harness.adapter.messages import BrokenAnswerError, Origin, Request, Response
from proctor_harness.adapter.traffic import ABANDONED, Exchange, Observer
from tests.unit.harness.adapter.asking import (
    JSON_HEADERS,
    Target,
    question,
    reply,
    streamed,
)


async def watched(answer: Any, request: Request | None = None) -> Exchange:
    """What is told of one request whose answer is read to its end, if it has one."""
    seen: list[Exchange] = []
    response = await Observer([seen.append])(request or question(), Target([answer]))
    if not isinstance(response.body, Content):
        with contextlib.suppress(BrokenAnswerError):
            [piece async for piece in response.body]
    [exchange] = seen
    return exchange


async def test_a_good_answer() -> None:
    exchange = await watched(reply() | {"usage": {"prompt_tokens": 3}})
    assert exchange.answered
    assert (exchange.status, exchange.items, exchange.origin) == (200, 1, Origin.TARGET)
    assert exchange.usage == {"prompt_tokens": 3}
    assert exchange.flags == frozenset()
    assert exchange.error is None
    assert exchange.seconds >= 0


async def test_a_stored_answer_is_known_as_one() -> None:
    exchange = await watched(Response(200, JSON_HEADERS, Content(b"{}"), Origin.CACHE))
    assert exchange.origin is Origin.CACHE


async def test_an_error_is_quoted() -> None:
    exchange = await watched(500)
    assert not exchange.answered
    assert exchange.error == '{"error": {"message": "no"}}'


async def test_an_error_with_status_200_is_no_answer() -> None:
    exchange = await watched({"error": {"message": "overloaded"}})
    assert (exchange.answered, exchange.status) == (False, 502)
    assert "overloaded" in (exchange.error or "")


async def test_a_stream_is_told_when_it_has_ended() -> None:
    event = json.dumps({"choices": [{"delta": {"content": ""}}], "usage": {"a": 1}}).encode()
    exchange = await watched(await streamed(b"data: %b\n\n" % event, b"data: [DONE]\n\n"))
    assert (exchange.answered, exchange.usage) == (True, {"a": 1})
    assert exchange.flags == {Flag.EMPTY}


async def test_a_stream_that_breaks_is_no_answer() -> None:
    exchange = await watched(await streamed(b"data: 1", broken=True))
    assert (exchange.status, exchange.origin) == (502, Origin.TARGET)
    assert exchange.error == "the answer broke off: cut"


async def test_a_stream_that_nobody_reads_on_is_abandoned() -> None:
    seen: list[Exchange] = []
    response = await Observer([seen.append])(question(), Target([await streamed(b"1", b"2")]))
    assert not isinstance(response.body, Content)
    assert await anext(response.body) == b"1"
    await response.body.aclose()
    assert [exchange.status for exchange in seen] == [ABANDONED]


@pytest.mark.parametrize("last", [(b"data: [DONE]\n\n",), (b"data: [DO", b"NE]", b"\n\n")])
async def test_a_stream_may_be_left_at_its_last_event(last: tuple[bytes, ...]) -> None:
    """As OpenAI's own client does, which is not told of the end of the connection."""
    seen: list[Exchange] = []
    event = b'data: {"choices": [{"delta": {"content": "a"}}]}\n\n'
    parts = (event, *last, b"more")
    response = await Observer([seen.append])(question(), Target([await streamed(*parts)]))
    assert not isinstance(response.body, Content)
    for _ in (event, *last):
        await anext(response.body)
    await response.body.aclose()
    assert [exchange.status for exchange in seen] == [200]


async def test_a_client_that_leaves_is_told() -> None:
    seen: list[Exchange] = []

    async def hang(_: Request) -> Response:
        await asyncio.sleep(60)
        raise AssertionError

    asking = asyncio.ensure_future(Observer([seen.append])(question(), hang))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert [exchange.status for exchange in seen] == [ABANDONED]


@pytest.mark.parametrize(
    ("asked", "answer", "expected"),
    [
        ({"messages": []}, reply("", reasoning_content="hm"), {Flag.REASONING_ONLY}),
        ({"prompt": "a", "logprobs": 1}, {"choices": [{"text": ""}]}, set()),
        ({"prompt": "a", "logprobs": None}, {"choices": [{"text": ""}]}, {Flag.EMPTY}),
        ({"messages": [], "logprobs": True}, reply(""), {Flag.EMPTY}),
    ],
)
async def test_odd_answers_are_flagged(
    asked: dict[str, Any], answer: dict[str, Any], expected: set[Flag]
) -> None:
    assert (await watched(answer, question(asked))).flags == expected


async def test_an_answer_that_is_no_json_has_no_flags() -> None:
    assert (await watched(Response(200, (), Content(b"text")))).answered


async def test_the_same_question_has_the_same_digest() -> None:
    first, second = await watched(500), await watched(reply())
    assert first.digest == second.digest
    assert first.digest != (await watched(reply(), question({"n": 1}))).digest
