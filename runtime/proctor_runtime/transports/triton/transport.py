"""Triton as the way from the HTTP front to the engine."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from proctor_runtime.engine.protocol import Completion, EngineDeadError, GenerateRequest
from proctor_runtime.settings import Addresses
from proctor_runtime.transports.codec import Answer, Ask, Completed, Failed, Happened, error_of
from proctor_runtime.transports.protocol import EngineQueue, Events
from proctor_runtime.transports.triton.client import TritonClient
from proctor_runtime.transports.triton.server import TritonServer
from proctor_runtime.transports.triton.text_model import Complete


class TritonTransport:
    """A running Triton server, and the one client that the front has."""

    name = "triton"

    def __init__(
        self,
        queue: EngineQueue,
        complete: Complete,
        model_name: str,
        addresses: Addresses,
        max_batch_size: int,
    ) -> None:
        self._server = TritonServer(queue, complete, model_name, addresses, max_batch_size)
        self._address = f"127.0.0.1:{addresses.triton_grpc}"
        self._opened: TritonClient | None = None

    def start(self) -> None:
        """Start the server and wait for its models."""
        self._server.start()

    def stop(self) -> None:
        """Stop the server."""
        self._server.stop()

    async def generate(self, requests: Sequence[GenerateRequest]) -> list[Completion]:
        """Answer the requests, in their order."""
        client = self._client()
        asked = Ask(client.next_id(), list(requests))
        async with client.ask(asked) as answers:
            async for answer in answers:
                client.finished(asked.id)
                return completions_of(answer)
        raise EngineDeadError("Triton gave no answer")

    @asynccontextmanager
    async def stream(
        self, requests: Sequence[GenerateRequest]
    ) -> AsyncIterator[AsyncIterator[Events]]:
        """Tell what happens to the requests as it happens."""
        client = self._client()
        asked = Ask(client.next_id(), list(requests), stream=True)
        async with client.ask(asked) as answers:
            yield self._events(client, asked, answers)

    async def _events(
        self, client: TritonClient, asked: Ask, answers: AsyncIterator[Answer]
    ) -> AsyncIterator[Events]:
        left = len(asked.requests)
        async for answer in answers:
            events = events_of(answer)
            left -= sum(event.finish is not None for _, event in events)
            if not left:
                client.finished(asked.id)
            yield events
            if not left:
                return

    async def is_ready(self) -> bool:
        """Tell whether Triton has its models ready."""
        client = self._client()
        return all([await client.is_ready(model) for model in self._server.models])

    def is_alive(self) -> bool:
        """Tell whether the server's process runs."""
        return self._server.is_alive()

    async def close(self) -> None:
        """Close the client."""
        if self._opened is not None:
            await self._opened.close()

    def _client(self) -> TritonClient:
        # Made on first use, for it belongs to the event loop that it is made in.
        if self._opened is None:
            self._opened = TritonClient(self._address, self._server.engine_model)
        return self._opened


def completions_of(answer: Answer) -> list[Completion]:
    """Return the completions, or raise what became of them."""
    match answer:
        case Completed(completions=completions):
            return completions
        case Failed() as failed:
            raise error_of(failed)
    raise EngineDeadError(f"the engine answered {answer!r:.200}")


def events_of(answer: Answer) -> Events:
    """Return the events, or raise what became of them."""
    match answer:
        case Happened(events=events):
            return events
        case Failed() as failed:
            raise error_of(failed)
    raise EngineDeadError(f"the engine answered {answer!r:.200}")
