import asyncio
import json
from dataclasses import replace

import pytest

from proctor_harness.adapter.content import Content
from proctor_harness.adapter.messages import (
    BrokenAnswerError,
    Endpoint,
    Origin,
    Request,
    Response,
    compose,
    error_response,
    header,
    whole,
)
from tests.unit.harness.adapter.asking import pieces, streamed


async def echo(request: Request) -> Response:
    return Response(200, (), request.body)


class Marking:
    def __init__(self, mark: bytes) -> None:
        self.mark = mark

    async def __call__(self, request: Request, call_next: Endpoint) -> Response:
        sent = Content(request.body.raw + self.mark)
        response = await call_next(replace(request, body=sent))
        assert isinstance(response.body, Content)
        return replace(response, body=Content(response.body.raw + self.mark))


async def refuse(request: Request, call_next: Endpoint) -> Response:
    return Response(403, (), Content(b"no"))


async def retry(request: Request, call_next: Endpoint) -> Response:
    answers = [await call_next(request) for _ in range(2)]
    return answers[-1]


async def ask(*chain: object) -> tuple[int, bytes]:
    endpoint = compose(chain, echo)  # type: ignore[arg-type]
    response = await endpoint(Request("POST", "/", (), Content(b"x")))
    assert isinstance(response.body, Content)
    return response.status, response.body.raw


async def test_the_first_link_sees_the_request_first_and_the_response_last() -> None:
    assert await ask(Marking(b"1"), Marking(b"2")) == (200, b"x1221")


async def test_a_link_may_answer_by_itself() -> None:
    assert await ask(Marking(b"1"), refuse, Marking(b"2")) == (403, b"no1")


async def test_a_link_may_ask_again() -> None:
    assert await ask(retry, Marking(b"1")) == (200, b"x11")


async def test_messages_are_immutable() -> None:
    with pytest.raises(AttributeError):
        Request("GET", "/", (), Content(b"")).method = "POST"  # type: ignore[misc]


async def test_a_stream_can_be_had_whole() -> None:
    response = await whole(await streamed(b"a", b"b"))
    assert isinstance(response.body, Content)
    assert response.body.raw == b"ab"
    with pytest.raises(BrokenAnswerError):
        await whole(await streamed(b"a", broken=True))


async def test_a_stream_that_nobody_reads_is_ended_all_the_same() -> None:
    response = await streamed(b"a")
    assert not isinstance(response.body, Content)
    await response.body.aclose()
    assert [piece async for piece in response.body] == []

    unprimed = pieces(b"a")
    assert await anext(unprimed) == b""
    await unprimed.aclose()


def test_a_header_is_found_by_its_lower_case_name() -> None:
    headers = ((b"a", b"1"), (b"b", b"2"), (b"b", b"3"))
    assert [header(headers, name) for name in (b"b", b"c")] == [b"2", b""]


def test_an_error_has_openais_shape() -> None:
    response = error_response(502, "upstream_error", "why", origin=Origin.NOBODY)
    assert isinstance(response.body, Content)
    error = json.loads(response.body.raw)["error"]
    assert error == {"message": "why", "type": "upstream_error", "code": "Bad Gateway"}


async def test_a_cancelled_question_cancels_the_chain() -> None:
    async def hang(_: Request) -> Response:
        await asyncio.sleep(60)
        raise AssertionError

    asking = asyncio.create_task(
        compose([Marking(b"")], hang)(Request("GET", "/", (), Content(b"")))
    )  # type: ignore[arg-type]
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
