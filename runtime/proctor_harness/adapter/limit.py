"""How many requests the target sees at once."""

import asyncio
from contextlib import aclosing
from dataclasses import replace

from proctor_harness.adapter.content import Content
from proctor_harness.adapter.messages import Endpoint, Request, Response, Stream, primed


class Limit:
    """The interceptor that lets so many requests through; others wait for their turn."""

    def __init__(self, most: int) -> None:
        self._places = asyncio.Semaphore(most)

    async def __call__(self, request: Request, call_next: Endpoint) -> Response:
        """Hold a place from the question to the end of the answer."""
        await self._places.acquire()
        try:
            response = await call_next(request)
        except BaseException:
            self._places.release()
            raise
        if isinstance(response.body, Content):
            self._places.release()
            return response
        return replace(response, body=await primed(self._held(response.body)))

    async def _held(self, body: Stream) -> Stream:
        try:
            async with aclosing(body):
                yield b""
                async for piece in body:
                    yield piece
        finally:
            self._places.release()
