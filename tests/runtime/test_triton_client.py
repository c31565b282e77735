"""The client of Triton's stream, on streams that break as a test says."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tritonclient.grpc import service_pb2

from proctor_runtime.engine.protocol import EngineDeadError, GenerateRequest
from proctor_runtime.transports import codec
from proctor_runtime.transports.codec import Ask, Completed
from proctor_runtime.transports.triton.client import TritonClient

GOOD = GenerateRequest(prompt=(1,), max_new_tokens=1)
UNSPEAKABLE = GenerateRequest(prompt=(1,), max_new_tokens=1, stop_texts=("\ud800",))


class Stream:
    """Answers at once whatever is written."""

    def __init__(self) -> None:
        self._responses: asyncio.Queue[Any] = asyncio.Queue()

    async def write(self, request: Any) -> None:
        asked = codec.decode_messages(request.raw_input_contents[0])
        told = [(message.id, Completed([])) for message in asked if isinstance(message, Ask)]
        response = service_pb2.ModelStreamInferResponse()
        response.infer_response.raw_output_contents.append(codec.encode(told))
        await self._responses.put(response)

    async def __aiter__(self) -> AsyncIterator[Any]:
        while True:
            yield await self._responses.get()

    def cancel(self) -> None:
        """Leave it to the client, which waits for nobody."""


class Broken(Stream):
    """Ends at once, and fails who writes only when the test has gone on."""

    def __init__(self) -> None:
        super().__init__()
        self.fails = asyncio.Event()

    async def write(self, request: Any) -> None:  # noqa: ARG002
        await self.fails.wait()
        raise asyncio.InvalidStateError

    async def __aiter__(self) -> AsyncIterator[Any]:
        return
        yield


def client_of(*streams: Stream) -> Any:
    """Return a client that opens these streams, one after the other."""
    client: Any = TritonClient("127.0.0.1:1", "letters")
    opened = iter(streams)

    class Stub:
        def ModelStreamInfer(self) -> Stream:  # noqa: N802 - Triton's own name
            return next(opened)

    client._stub = Stub()
    return client


async def ask(client: TritonClient, request: GenerateRequest) -> Any:
    async with client.ask([request], stream=False) as answers:
        answer = await asyncio.wait_for(anext(answers), 5)
        answers.is_last = True
        return answer


async def test_what_cannot_be_written_fails_who_asked_it_and_nobody_after() -> None:
    client = client_of(Stream())
    with pytest.raises(UnicodeEncodeError):
        await ask(client, UNSPEAKABLE)
    assert await ask(client, GOOD) == Completed([])


async def test_what_is_asked_while_a_broken_stream_is_written_goes_out_on_the_next() -> None:
    broken = Broken()
    client = client_of(broken, Stream())
    with pytest.raises(EngineDeadError, match="closed the stream"):
        await ask(client, GOOD)
    asking = asyncio.create_task(ask(client, GOOD))
    await asyncio.sleep(0)
    broken.fails.set()
    assert await asking == Completed([])
