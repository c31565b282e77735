from dataclasses import replace

import pytest

from proctor_harness.adapter.messages import Endpoint, Request, Response, compose, once, read


async def echo(request: Request) -> Response:
    return Response(200, (), request.body)


def marking(mark: bytes) -> "Marking":
    return Marking(mark)


class Marking:
    def __init__(self, mark: bytes) -> None:
        self.mark = mark

    async def __call__(self, request: Request, call_next: Endpoint) -> Response:
        sent = await read(request.body) + self.mark
        response = await call_next(replace(request, body=once(sent)))
        return replace(response, body=once(await read(response.body) + self.mark))


async def refuse(request: Request, call_next: Endpoint) -> Response:
    return Response(403, (), once(b"no"))


async def retry(request: Request, call_next: Endpoint) -> Response:
    content = await read(request.body)
    answers = [await call_next(replace(request, body=once(content))) for _ in range(2)]
    return answers[-1]


async def ask(*chain: object) -> tuple[int, bytes]:
    endpoint = compose(chain, echo)  # type: ignore[arg-type]
    response = await endpoint(Request("POST", "/", (), once(b"x")))
    return response.status, await read(response.body)


async def test_the_first_link_sees_the_request_first_and_the_response_last() -> None:
    assert await ask(marking(b"1"), marking(b"2")) == (200, b"x1221")


async def test_a_link_may_answer_by_itself() -> None:
    assert await ask(marking(b"1"), refuse, marking(b"2")) == (403, b"no1")


async def test_a_link_may_ask_again() -> None:
    assert await ask(retry, marking(b"1")) == (200, b"x11")


async def test_a_body_is_read_once() -> None:
    body = once(b"x")
    assert await read(body) == b"x"
    assert await read(body) == b""


async def test_messages_are_immutable() -> None:
    with pytest.raises(AttributeError):
        Request("GET", "/", (), once(b"")).method = "POST"  # type: ignore[misc]
