"""Server-sent events as OpenAI sends them, and what a client's going away means."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from typing import Any, TypeVar

import msgspec
from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from proctor_runtime.openai.errors import problem_of

T = TypeVar("T")

DONE = b"data: [DONE]\n\n"
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
"""Nobody between may keep or collect the events."""

CLIENT_GONE = 499
"""Nobody reads it; nginx's number for the metrics."""

logger = logging.getLogger(__name__)


class ClientGoneError(Exception):
    """The client closed the connection before its answer."""


async def while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Do the work, and give it up when the client does; the body must have been read."""
    doing = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait({doing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            raise ClientGoneError
        return doing.result()
    finally:
        await end_all(doing, leaving)


async def end_all(*tasks: asyncio.Future[Any]) -> None:
    """Cancel the tasks, and wait until they have cleaned up."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def json_answer(request: Request, work: Coroutine[Any, Any, Any]) -> Response:
    """Answer with what the work returns."""
    try:
        answer = await while_connected(request, work)
    except ClientGoneError:
        return Response(status_code=CLIENT_GONE)
    return Response(msgspec.json.encode(answer), media_type="application/json")


async def event_stream(request: Request, chunks: AsyncGenerator[dict[str, Any]]) -> Response:
    """Answer with the chunks as they come.

    The first is awaited before the answer begins, so what is wrong with the request, or with the
    engine, still gets a status of its own.
    """
    try:
        first = await while_connected(request, ahead(chunks))
    except ClientGoneError:
        return Response(status_code=CLIENT_GONE)
    return ClosingStream(events(first, chunks))


async def ahead(chunks: AsyncGenerator[dict[str, Any]]) -> dict[str, Any]:
    """Return the first chunk; close the rest where there is none."""
    try:
        return await anext(chunks)
    except BaseException:
        await chunks.aclose()
        raise


async def events(
    first: dict[str, Any], chunks: AsyncGenerator[dict[str, Any]]
) -> AsyncGenerator[bytes]:
    """Write the chunks as events; an error that comes late is one of them."""
    async with aclosing(chunks):
        yield event(first)
        try:
            async for chunk in chunks:
                yield event(chunk)
        except Exception as error:
            logger.exception("a stream broke off")
            yield event(problem_of(error).body())
    yield DONE


def event(data: dict[str, Any]) -> bytes:
    """Write one event."""
    return b"data: " + msgspec.json.encode(data) + b"\n\n"


class ClosingStream(StreamingResponse):
    """Closes what it reads from as soon as it ends, however it does."""

    def __init__(self, content: AsyncGenerator[bytes]) -> None:
        super().__init__(content, media_type="text/event-stream", headers=HEADERS)
        self._content = content

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events."""
        async with aclosing(self._content):
            await super().__call__(scope, receive, send)
