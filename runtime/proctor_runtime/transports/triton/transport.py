"""Triton as the way from the HTTP front to the engine."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from proctor_runtime.engine.protocol import Completion, EngineDeadError, GenerateRequest
from proctor_runtime.settings import Addresses
from proctor_runtime.transports.codec import Answer, Completed, Failed, Happened, error_of
from proctor_runtime.transports.protocol import EngineQueue, Events
from proctor_runtime.transports.triton.client import Answered, TritonClient
from proctor_runtime.transports.triton.engine_model import EngineModel
from proctor_runtime.transports.triton.server import TOKENS, TritonServer, started, triton_name
from proctor_runtime.transports.triton.text_model import TextModel


class TritonTransport:
    """A running Triton server, and the one client that the front has."""

    name = "triton"

    def __init__(
        self, queue: EngineQueue, texts: TextModel, model_name: str, addresses: Addresses
    ) -> None:
        self._engine = EngineModel(queue)
        self._texts = texts
        self._model = triton_name(model_name)
        self._addresses = addresses
        self._server: TritonServer | None = None
        self._opened: TritonClient | None = None

    def start(self) -> None:
        """Start the server and wait for its models."""
        self._server = started(
            lambda: TritonServer(self._model, self._engine, self._texts, self._addresses)
        )

    def stop(self) -> None:
        """Stop the server."""
        if self._server is not None:
            self._server.stop()

    async def generate(self, requests: Sequence[GenerateRequest]) -> list[Completion]:
        """Answer the requests, in their order."""
        async with self._client().ask(requests, stream=False) as answers:
            answer = await anext(answers)
            answers.is_last = True
            return completions_of(answer)

    @asynccontextmanager
    async def stream(
        self, requests: Sequence[GenerateRequest]
    ) -> AsyncIterator[AsyncIterator[Events]]:
        """Tell what happens to the requests as it happens."""
        async with self._client().ask(requests, stream=True) as answers:
            yield happenings(answers, len(requests))

    async def is_ready(self) -> bool:
        """Tell whether Triton has its models ready."""
        client = self._client()
        models = (self._model, self._model + TOKENS)
        return all([await client.is_ready(model) for model in models])

    def is_alive(self) -> bool:
        """Tell whether the server's process runs."""
        return self._server is not None and self._server.is_alive()

    async def close(self) -> None:
        """Close the client."""
        if self._opened is not None:
            await self._opened.close()

    def _client(self) -> TritonClient:
        # Made on first use, for it belongs to the event loop that it is made in.
        if self._opened is None:
            address = f"127.0.0.1:{self._addresses.triton_grpc}"
            self._opened = TritonClient(address, self._model + TOKENS)
        return self._opened


def completions_of(answer: Answer) -> list[Completion]:
    """Return the completions, or raise what became of them."""
    match answer:
        case Completed(completions=completions):
            return completions
        case Failed() as failed:
            raise error_of(failed)
    raise EngineDeadError(f"the engine answered {answer!r:.200}")


async def happenings(answers: Answered, count: int) -> AsyncIterator[Events]:
    """Yield what happens, until each of `count` requests has finished."""
    async for answer in answers:
        events = events_of(answer)
        count -= sum(event.finish is not None for _, event in events)
        answers.is_last = count == 0
        yield events


def events_of(answer: Answer) -> Events:
    """Return the events, or raise what became of them."""
    match answer:
        case Happened(events=events):
            return events
        case Failed() as failed:
            raise error_of(failed)
    raise EngineDeadError(f"the engine answered {answer!r:.200}")
