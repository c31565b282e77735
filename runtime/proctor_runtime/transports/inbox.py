"""From the engine's thread into an event loop."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial

from proctor_runtime.engine.protocol import Completion, GenerateRequest, TokenEvent
from proctor_runtime.transports.protocol import EngineQueue, Events


class Inbox:
    """Events of some requests: any thread posts, one coroutine takes."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._events: deque[tuple[int, TokenEvent]] = deque()
        self._errors: deque[BaseException] = deque()
        self._arrived = asyncio.Event()
        self._rung = False

    def post(self, index: int, event: TokenEvent) -> None:
        """Post an event of the `index`-th request; never blocks, never raises."""
        self._events.append((index, event))
        self._ring()

    def end(self, future: "Future[Completion]") -> None:
        """Post how a request failed or that it was cancelled, if it was: it has no last event."""
        error = asyncio.CancelledError() if future.cancelled() else future.exception()
        if error:
            self._errors.append(error)
            self._ring()

    async def take(self) -> Events:
        """Wait for events, and return all that there are; raise where a request failed."""
        await self._arrived.wait()
        self._arrived.clear()
        self._rung = False
        if self._errors:
            raise self._errors.popleft()
        return [self._events.popleft() for _ in range(len(self._events))]

    def _ring(self) -> None:
        # Waking a loop costs more than an event: once is enough for all until they are taken.
        if not self._rung:
            self._rung = True
            with suppress(RuntimeError):  # the loop is gone, and with it whoever listened
                self._loop.call_soon_threadsafe(self._arrived.set)


def submit_all(
    queue: EngineQueue, requests: Sequence[GenerateRequest], inbox: Inbox | None = None
) -> list["Future[Completion]"]:
    """Queue all the requests, or none of them."""
    futures: list[Future[Completion]] = []
    try:
        for index, request in enumerate(requests):
            if inbox is None:
                futures.append(queue.submit(request))
            else:
                futures.append(queue.submit(request, partial(inbox.post, index)))
                futures[-1].add_done_callback(inbox.end)
    except BaseException:
        cancel_all(futures)
        raise
    return futures


def cancel_all(futures: Sequence["Future[Completion]"]) -> None:
    """End what has not ended."""
    for future in futures:
        future.cancel()


async def completions_of(
    queue: EngineQueue, requests: Sequence[GenerateRequest]
) -> list[Completion]:
    """Queue the requests and await them; being cancelled, or one's failure, ends all."""
    futures = submit_all(queue, requests)
    try:
        return list(await asyncio.gather(*map(asyncio.wrap_future, futures)))
    finally:
        cancel_all(futures)


async def events_of(inbox: Inbox, count: int) -> AsyncIterator[Events]:
    """Yield what comes in, until each of `count` requests has finished."""
    while count:
        events = await inbox.take()
        count -= sum(event.finish is not None for _, event in events)
        if events:
            yield events
