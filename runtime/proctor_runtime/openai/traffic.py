"""Requests under way, what is let in, and the end of it: ASGI layers around the application."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from proctor_runtime.openai.errors import BodyTooLargeError, DrainingError, problem_of

GENERATING = frozenset({"/v1/completions", "/v1/chat/completions"})


class Traffic:
    """How many requests for text are under way, and whether more may come."""

    def __init__(self) -> None:
        self.under_way = 0
        self.draining = False
        self._changed = asyncio.Event()

    def enter(self) -> None:
        """Count a request in; `DrainingError` where none may come any more."""
        if self.draining:
            raise DrainingError
        self.under_way += 1

    def leave(self) -> None:
        """Count a request out."""
        self.under_way -= 1
        self._changed.set()

    async def drain(self, seconds: float) -> None:
        """Let nobody in, and wait until all are out, so long at most."""
        self.draining = True
        try:
            async with asyncio.timeout(seconds):
                while self.under_way:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return


class Gate:
    """Counts requests for text, and turns them away while the server ends."""

    def __init__(self, app: ASGIApp, traffic: Traffic) -> None:
        self._app = app
        self._traffic = traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http" or scope["path"] not in GENERATING:
            await self._app(scope, receive, send)
            return
        try:
            self._traffic.enter()
        except DrainingError as error:
            await problem_of(error).response()(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            self._traffic.leave()


class BodyLimit:
    """Turns away bodies over the limit, whether they say how large they are or not."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if stated_length(scope) > self._limit:
            error = BodyTooLargeError(self._limit)
            await problem_of(error).response()(scope, receive, send)
            return
        await self._app(scope, self._counted(receive), send)

    def _counted(self, receive: Receive) -> Receive:
        read = 0

        async def receive_some() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._limit:
                raise BodyTooLargeError(self._limit)
            return message

        return receive_some


def stated_length(scope: Scope) -> int:
    """Return what ``Content-Length`` says; 0 where it says nothing."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0
