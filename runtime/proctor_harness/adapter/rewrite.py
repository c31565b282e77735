"""How an interceptor is made of a pure function.

Most interceptors change what the model is asked, change what it answered, or only look. Each kind
is a function of JSON objects, and here is what carries the objects to it and back.
"""

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace

from proctor_harness.adapter import sse
from proctor_harness.adapter.content import Content, JsonObject
from proctor_harness.adapter.errors import UnreadableError
from proctor_harness.adapter.messages import (
    Endpoint,
    Interceptor,
    Request,
    Response,
    Stream,
    primed,
    whole,
)
from proctor_harness.adapter.openai import is_question

CAPTURED_BYTES = 16 << 20
"""Of a stream that is looked at, as much is kept."""

Change = Callable[[JsonObject], JsonObject]
"""What becomes of an object; the same object if nothing does. It never mutates."""


def asked(request: Request) -> JsonObject:
    """The question; raises UnreadableError."""
    body = request.body.object
    if body is None:
        raise UnreadableError(f"the body of {request.target} is not a JSON object")
    return body


def change_question(change: Change) -> Interceptor:
    """The interceptor that changes what the model is asked."""

    async def intercept(request: Request, call_next: Endpoint) -> Response:
        return await call_next(changed(request, change))

    return intercept


def changed(request: Request, change: Change) -> Request:
    """The request with its question changed; other requests stay as they are."""
    if not is_question(request):
        return request
    body = asked(request)
    new = change(body)
    return request if new is body else replace(request, body=Content.of(new))


def change_answer(change: Change) -> Interceptor:
    """The interceptor that changes what the model answered."""

    async def intercept(request: Request, call_next: Endpoint) -> Response:
        response = await call_next(request)
        return await answer_changed(response, change) if is_question(request) else response

    return intercept


async def answer_changed(response: Response, change: Change) -> Response:
    """The response with its answer changed; errors stay as they are.

    Raises UnreadableError for a stream: what changes an answer must have it whole.
    """
    if response.status >= 300:
        return response
    if sse.is_event_stream(response.headers):
        raise UnreadableError("it needs whole answers, not a stream: put `streaming` after it")
    response = await whole(response)
    assert isinstance(response.body, Content)  # noqa: S101 - whole() says so
    body = response.body.object
    if body is None:
        raise UnreadableError("the target's answer is not a JSON object")
    new = change(body)
    return response if new is body else replace(response, body=Content.of(new))


Seen = Callable[[Response, Content], None]
"""Looks at a response once all of its body is there."""


async def watched(response: Response, see: Seen) -> Response:
    """The response, looked at now or when its stream has ended; a broken stream is not seen."""
    if isinstance(response.body, Content):
        see(response, response.body)
        return response
    return replace(response, body=await primed(_teed(response, response.body, see)))


async def _teed(response: Response, body: Stream, see: Seen) -> Stream:
    captured, size = [], 0
    async with aclosing(body):
        yield b""
        async for piece in body:
            if size < CAPTURED_BYTES:
                captured.append(piece)
                size += len(piece)
            yield piece
    see(response, Content(b"".join(captured)))


async def watched_answer(response: Response, see: Callable[[JsonObject], None]) -> Response:
    """The response, whose good answer, sent at once or as a stream, is looked at when complete."""

    def look(response: Response, body: Content) -> None:
        answer = sse.answer(response.headers, body) if response.status < 300 else None
        if answer is not None:
            see(answer)

    return await watched(response, look)
