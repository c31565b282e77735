"""The adapter as an ASGI application: its own few pages, and everything else forwarded.

Plain ASGI rather than a framework, because a framework's request and response objects would cost
more than the forwarding itself.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from contextlib import aclosing
from http import HTTPStatus
from typing import Any

from pydantic import ValidationError

from proctor_harness.adapter.item_log import ItemLog
from proctor_harness.adapter.messages import (
    Body,
    BrokenAnswerError,
    Interceptor,
    Request,
    Response,
    compose,
    once,
    read,
)
from proctor_harness.adapter.metrics import Metrics
from proctor_harness.adapter.progress import Announcement, Progress
from proctor_harness.adapter.traffic import Observer
from proctor_harness.adapter.upstream import Upstream

logger = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Adapter:
    """The ASGI application."""

    def __init__(
        self, upstream: Upstream, item_log: ItemLog, interceptors: Sequence[Interceptor] = ()
    ) -> None:
        self._upstream = upstream
        self._item_log = item_log
        self._progress = Progress()
        self._metrics = Metrics()
        # Innermost, so that what it counts is what the target really saw.
        observer = Observer([self._progress.record, self._metrics.record, item_log.record])
        self._forward = compose([*interceptors, observer], upstream)
        self._pages: dict[tuple[str, str], Callable[[Request], Awaitable[Response]]] = {
            ("GET", "/healthz"): self._healthz,
            ("GET", "/progress"): self._show_progress,
            ("POST", "/progress"): self._announce,
            ("GET", "/metrics"): self._show_metrics,
        }

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one connection's scope."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await _Exchange(receive, send).run(scope, self._answer)

    async def _answer(self, request: Request) -> Response:
        page = self._pages.get((request.method, request.target), self._forward)
        return await page(request)

    async def _healthz(self, _: Request) -> Response:
        return _response(HTTPStatus.OK, "text/plain", b"ok")

    async def _show_progress(self, _: Request) -> Response:
        content = self._progress.snapshot().model_dump_json(by_alias=True).encode()
        return _response(HTTPStatus.OK, "application/json", content)

    async def _announce(self, request: Request) -> Response:
        try:
            announcement = Announcement.model_validate_json(await read(request.body))
        except ValidationError as error:
            return _response(HTTPStatus.BAD_REQUEST, "text/plain", str(error).encode())
        self._progress.total = announcement.total
        return await self._show_progress(request)

    async def _show_metrics(self, _: Request) -> Response:
        content = self._metrics.exposition(self._progress.snapshot()).encode()
        return _response(HTTPStatus.OK, "text/plain; version=0.0.4", content)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        await self._item_log.open()
        await self._upstream.open()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._upstream.close()
        await self._item_log.close()
        await send({"type": "lifespan.shutdown.complete"})


class _Exchange:
    """One request: while it is answered, watch whether the client is still there."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._task = asyncio.current_task()
        self._watcher: asyncio.Task[None] | None = None
        self._finished = False

    async def run(self, scope: Message, answer: Callable[[Request], Awaitable[Response]]) -> None:
        try:
            await self._reply(await answer(self._request(scope)))
        except BrokenAnswerError as error:
            # The status is out. The server closes a connection whose response is incomplete, and
            # that alone can still tell the client.
            logger.warning("%s: %s", scope["path"], error)
        except asyncio.CancelledError:
            # The client left, or we are to stop at once: either way nobody waits for an answer.
            logger.info("%s: cancelled", scope["path"])
        finally:
            self._finished = True
            if self._watcher:
                self._watcher.cancel()

    def _request(self, scope: Message) -> Request:
        query = scope["query_string"]
        target = scope["raw_path"] + (b"?" + query if query else b"")
        return Request(
            scope["method"], target.decode("latin-1"), tuple(scope["headers"]), self._body()
        )

    async def _body(self) -> Body:
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._leave()
                return
            more = message.get("more_body", False)
            if not more:  # from here on, the next message can only be the disconnect
                self._watcher = asyncio.create_task(self._watch())
            yield message.get("body", b"")

    async def _watch(self) -> None:
        await self._receive()
        self._leave()

    def _leave(self) -> None:
        """Stop asking the target for what nobody waits for any more."""
        if self._task and not self._finished:
            self._task.cancel()

    async def _reply(self, response: Response) -> None:
        start = {"type": "http.response.start", "status": response.status}
        await self._send({**start, "headers": list(response.headers)})
        async with aclosing(response.body) as body:
            async for chunk in body:
                await self._send(_chunk(chunk, more_body=True))
        self._finished = True
        await self._send(_chunk(b"", more_body=False))


def _chunk(content: bytes, *, more_body: bool) -> Message:
    return {"type": "http.response.body", "body": content, "more_body": more_body}


def _response(status: HTTPStatus, content_type: str, content: bytes) -> Response:
    length = str(len(content)).encode()
    headers = ((b"content-type", content_type.encode()), (b"content-length", length))
    return Response(status, headers, once(content))
