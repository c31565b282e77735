"""Requests, responses, and how interceptors compose around the endpoint that answers them.

An interceptor is ``async def intercept(request, call_next) -> Response``. It may change the
request, answer by itself, call `call_next` several times, or wrap the response's body. One that
needs a whole body reads it with `read` and passes it on with `once`.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Protocol

Body = AsyncGenerator[bytes, None]
Headers = tuple[tuple[bytes, bytes], ...]
"""Names are lower case, as ASGI has them."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the harness asks."""

    method: str
    target: str
    """Path and query, still percent-encoded."""
    headers: Headers
    body: Body


@dataclass(frozen=True, slots=True)
class Response:
    """What it gets: the body is a stream, so that tokens arrive as they are made."""

    status: int
    headers: Headers
    body: Body


class BrokenAnswerError(Exception):
    """Raised by a response's body: the target stopped in the middle of its answer."""


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
    return next((value for key, value in headers if key == name), b"")


async def once(content: bytes) -> Body:
    """A body of one chunk."""
    yield content


async def read(body: Body) -> bytes:
    """The whole body."""
    async with aclosing(body):
        return b"".join([chunk async for chunk in body])
