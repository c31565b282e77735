"""The HTTP front's way to Triton: one gRPC stream, which carries all requests at once.

Neither a client, a connection nor a thread is made for a request.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from itertools import count
from typing import Any

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from proctor_runtime.engine.protocol import EngineDeadError
from proctor_runtime.transports import codec
from proctor_runtime.transports.codec import Answer, Ask, Cancel

ANY_LENGTH = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]

Arrivals = asyncio.Queue["bytes | Exception"]


class TritonClient:
    """Sends messages to the engine's model, and hands each its answers."""

    def __init__(self, address: str, model: str) -> None:
        self._channel = grpc.aio.insecure_channel(address, options=ANY_LENGTH)
        self._stub = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)
        self._model = model
        self._ids = count(1)
        self._waiting: dict[str, Arrivals] = {}
        self._sending = asyncio.Lock()
        self._call: grpc.aio.StreamStreamCall | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def ask(self, asked: Ask) -> AsyncIterator[AsyncIterator[Answer]]:
        """Ask, and yield the answers as they come; leaving early cancels."""
        arrivals: Arrivals = asyncio.Queue()
        self._waiting[asked.id] = arrivals
        try:
            await self._send(asked.id, codec.encode(asked))
            yield self._answers(arrivals)
        finally:
            # Gone already, if the last answer was taken.
            if self._waiting.pop(asked.id, None) is not None:
                self._in_background(asked.id)

    async def _answers(self, arrivals: Arrivals) -> AsyncIterator[Answer]:
        while True:
            arrived = await arrivals.get()
            if isinstance(arrived, Exception):
                raise arrived
            yield codec.decode_answer(arrived)

    def next_id(self) -> str:
        """Return an id for messages that belong together."""
        return f"{next(self._ids)}"

    def finished(self, name: str) -> None:
        """Expect no more answers of this id."""
        self._waiting.pop(name, None)

    async def is_ready(self, model: str) -> bool:
        """Tell whether Triton has a model ready."""
        try:
            answer = await self._stub.ModelReady(service_pb2.ModelReadyRequest(name=model))
        except grpc.aio.AioRpcError:
            return False
        return bool(answer.ready)

    async def close(self) -> None:
        """Close the stream and its connection."""
        if self._call is not None:
            self._call.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._channel.close()

    def _in_background(self, name: str) -> None:
        """Say that nobody waits any more; whoever leaves does not wait for that either."""
        self._keep(self._cancel(name))

    async def _cancel(self, name: str) -> None:
        with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            await self._send(f"cancel-{name}", codec.encode(Cancel(name)))

    async def _send(self, name: str, payload: bytes) -> None:
        tensor = service_pb2.ModelInferRequest.InferInputTensor(
            name="request", datatype="UINT8", shape=[len(payload)]
        )
        request = service_pb2.ModelInferRequest(
            model_name=self._model, id=name, inputs=[tensor], raw_input_contents=[payload]
        )
        # gRPC takes one message at a time.
        async with self._sending:
            await self._open().write(request)

    def _open(self) -> "grpc.aio.StreamStreamCall":
        if self._call is None:
            self._call = self._stub.ModelStreamInfer()
            self._keep(self._read(self._call))
        return self._call

    async def _read(self, call: "grpc.aio.StreamStreamCall") -> None:
        """Hand out what arrives; when the stream breaks, to everybody that it did."""
        ending: Exception = EngineDeadError("Triton closed the stream")
        try:
            async for response in call:
                self._hand_out(response)
        except grpc.aio.AioRpcError as error:
            ending = EngineDeadError(f"the stream to Triton broke: {error.details()}")
        except asyncio.CancelledError:
            ending = EngineDeadError("the stream to Triton was closed")
        self._call = None
        for arrivals in self._waiting.values():
            arrivals.put_nowait(ending)

    def _hand_out(self, response: "service_pb2.ModelStreamInferResponse") -> None:
        arrivals = self._waiting.get(response.infer_response.id)
        if arrivals is None:
            return
        if response.error_message:
            arrivals.put_nowait(RuntimeError(f"Triton: {response.error_message}"))
        elif response.infer_response.raw_output_contents:
            arrivals.put_nowait(response.infer_response.raw_output_contents[0])

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
