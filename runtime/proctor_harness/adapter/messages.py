"""Requests, responses, and how interceptors compose around the endpoint that answers them.

An interceptor is ``async def intercept(request, call_next) -> Response``. It may change the
request, answer by itself, call `call_next` several times, or change the response. Messages are
immutable: a changed one is a new one, by `dataclasses.replace`.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from http import HTTPStatus
from typing import Protocol

from proctor_harness.adapter.content import Content

Headers = tuple[tuple[bytes, bytes], ...]
"""Names are lower case."""

Stream = AsyncGenerator[bytes, None]
"""A body that arrives piece by piece, so that tokens are passed on as they are made.

Its first piece is empty: see `primed`.
"""


class Origin(Enum):
    """Who made a response."""

    TARGET = "target"
    CACHE = "cache"
    """The target, in an earlier attempt of this evaluation."""
    NOBODY = "nobody"
    """The adapter, because the target gave no answer."""
    ADAPTER = "adapter"
    """The adapter, because an interceptor failed or refused."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the harness asks."""

    method: str
    target: str
    """Path and query, still percent-encoded."""
    headers: Headers
    body: Content
    session: str | None = None
    """Which agent's conversation it belongs to: the `<hex>` of a ``/s/<hex>/v1`` base URL."""


@dataclass(frozen=True, slots=True)
class Response:
    """What it gets."""

    status: int
    headers: Headers
    body: Content | Stream
    origin: Origin = Origin.TARGET


class BrokenAnswerError(Exception):
    """Raised by a response's stream: the target stopped in the middle of its answer."""


class LongAnswerError(BrokenAnswerError):
    """It does not stop: there is no room for so much, nor does a model write it."""


Endpoint = Callable[[Request], Awaitable[Response]]


class Interceptor(Protocol):
    """One link of the chain."""

    async def __call__(self, request: Request, call_next: Endpoint) -> Response:
        """Answer the request, by `call_next` or otherwise."""
        ...


def compose(chain: Sequence[Interceptor], endpoint: Endpoint) -> Endpoint:
    """Put the chain before the endpoint; its first link sees the request first."""
    for interceptor in reversed(chain):
        endpoint = partial(interceptor, call_next=endpoint)
    return endpoint


def header(headers: Headers, name: bytes) -> bytes:
    """The first value of a header, or nothing."""
    for key, value in headers:
        if key == name:
            return value
    return b""


async def whole(response: Response) -> Response:
    """The response with its body in one piece; raises BrokenAnswerError, as its stream does."""
    if isinstance(response.body, Content):
        return response
    async with aclosing(response.body) as stream:
        pieces = [piece async for piece in stream]
    return replace(response, body=Content(b"".join(pieces)))


async def primed(stream: Stream) -> Stream:
    """The stream, run to the empty piece that it yields first.

    Python runs the `finally` of a generator only if it was begun. From here on it runs, whoever
    drops the stream and whenever.
    """
    await anext(stream)
    return stream


async def discard(response: Response) -> None:
    """Let go of a response that nobody will read; read to its end, its connection is kept."""
    await whole(response)


def json_response(status: int, value: object, origin: Origin = Origin.ADAPTER) -> Response:
    """A response of the adapter's own."""
    return Response(status, ((b"content-type", b"application/json"),), Content.of(value), origin)


def error_response(
    status: int, kind: str, message: str, code: str | None = None, origin: Origin = Origin.ADAPTER
) -> Response:
    """An error in the shape that OpenAI clients read."""
    error = {"message": message, "type": kind, "code": code or HTTPStatus(status).phrase}
    return json_response(status, {"error": error}, origin)
