"""The seams between the HTTP front and the engine."""

from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from proctor_runtime.engine.batcher import OnEvent, OnStart, nobody_listens, nobody_waits
from proctor_runtime.engine.protocol import Completion, GenerateRequest, TokenEvent

Events = Sequence[tuple[int, TokenEvent]]
"""What happened to which of the requests, by their index."""


class EngineQueue(Protocol):
    """The engine's end: what `Batcher` is."""

    def submit(
        self,
        request: GenerateRequest,
        on_event: OnEvent = nobody_listens,
        on_start: OnStart = nobody_waits,
    ) -> "Future[Completion]":
        """Queue a request; cancelling the future ends it."""
        ...


class Transport(Protocol):
    """Carries requests to the engine and answers back.

    Whoever stops waiting, by being cancelled or by leaving a stream, ends the requests. Raises
    `QueueFullError`, `RequestTooLargeError` and `EngineDeadError` as the engine does.
    """

    name: str

    async def generate(self, requests: Sequence[GenerateRequest]) -> list[Completion]:
        """Answer the requests, in their order."""
        ...

    def stream(
        self, requests: Sequence[GenerateRequest]
    ) -> AbstractAsyncContextManager[AsyncIterator[Events]]:
        """Tell what happens to the requests as it happens, until each has finished."""
        ...

    async def is_ready(self) -> bool:
        """Tell whether requests would get through."""
        ...

    def is_alive(self) -> bool:
        """Tell whether a restart could be spared; cheap, and says nothing about the model."""
        ...

    async def close(self) -> None:
        """Give connections back; the engine stays."""
        ...
