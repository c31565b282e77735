"""The shortest way: straight into the engine's queue in the same process."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from proctor_runtime.engine.protocol import Completion, GenerateRequest
from proctor_runtime.transports.inbox import (
    Inbox,
    cancel_all,
    completions_of,
    events_of,
    submit_all,
)
from proctor_runtime.transports.protocol import EngineQueue, Events


class InProcessTransport:
    """Submits to the queue and awaits its futures."""

    name = "in-process"

    def __init__(self, queue: EngineQueue) -> None:
        self._queue = queue

    async def generate(self, requests: Sequence[GenerateRequest]) -> list[Completion]:
        """Answer the requests, in their order."""
        return await completions_of(self._queue, requests)

    @asynccontextmanager
    async def stream(
        self, requests: Sequence[GenerateRequest]
    ) -> AsyncIterator[AsyncIterator[Events]]:
        """Tell what happens to the requests as it happens."""
        inbox = Inbox()
        futures = submit_all(self._queue, requests, inbox)
        try:
            yield events_of(inbox, len(requests))
        finally:
            cancel_all(futures)

    async def is_ready(self) -> bool:
        """Nothing stands between."""
        return True

    def is_alive(self) -> bool:
        """Nothing of its own can die."""
        return True

    async def close(self) -> None:
        """Hold nothing, free nothing."""
