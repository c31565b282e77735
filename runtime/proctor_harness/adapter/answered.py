"""A good status without an answer is a failure of the target, and is told as one.

A gateway that warms up says 200, and nothing that answers. A harness may take that for an empty
answer and score it; told a failure, it asks again.
"""

from contextlib import aclosing
from dataclasses import replace

from proctor_harness.adapter import openai, sse
from proctor_harness.adapter.content import Content
from proctor_harness.adapter.failing import broken_off
from proctor_harness.adapter.logs import shown_body
from proctor_harness.adapter.messages import (
    BrokenAnswerError,
    Endpoint,
    Headers,
    LongAnswerError,
    Origin,
    Request,
    Response,
    Stream,
    error_response,
    primed,
    whole,
)

SHOWN_CHARACTERS = 200


async def answered(request: Request, call_next: Endpoint) -> Response:
    """The interceptor that lets answers pass, and failures that say that they are."""
    response = await call_next(request)
    if response.status >= 300 or not openai.is_question(request):
        return response
    if sse.is_event_stream(response.headers) and not isinstance(response.body, Content):
        return replace(response, body=await primed(_checked(request, response, response.body)))
    try:
        # Nobody can use half of it, and in one piece it can still be told as a failure.
        response = await whole(response)
    except LongAnswerError as error:
        return _no_answer(response.status, str(error))
    except BrokenAnswerError as error:
        return broken_off(error)
    assert isinstance(response.body, Content)  # noqa: S101 - whole() says so
    words = doubt(request.target, response.headers, response.body)
    return _no_answer(response.status, words) if words else response


def _no_answer(status: int, words: str) -> Response:
    message = f"the target answered HTTP {status}, but {words}"
    return error_response(502, "upstream_error", message, "no_answer", Origin.NOBODY)


async def _checked(request: Request, response: Response, body: Stream) -> Stream:
    """The stream, which breaks where it ends without an answer: its status is out."""
    pieces = []
    async with aclosing(body):
        yield b""
        async for piece in body:
            pieces.append(piece)
            yield piece
    if words := doubt(request.target, response.headers, Content(b"".join(pieces))):
        raise BrokenAnswerError(words)


def doubt(target: str, headers: Headers, body: Content) -> str | None:
    """Why a question's body of a good status is no answer; an error in a stream is told by it."""
    streamed = sse.is_event_stream(headers)
    if sse.error(headers, body):
        return None if streamed else f"an error: {shown_body(body, SHOWN_CHARACTERS)}"
    found = None if streamed else body.object
    answers = openai.answers(target, found) if found else sse.answers(target, body.raw)
    return None if answers else f"no answer: {shown_body(body, SHOWN_CHARACTERS) or 'nothing'}"
