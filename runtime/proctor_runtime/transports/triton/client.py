"""The HTTP front's way to Triton: one gRPC stream, which carries all requests at once.

Neither a client, a connection nor a thread is made for a request, and what comes while a message
is being written travels with the next.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from proctor_runtime.engine.protocol import EngineDeadError, GenerateRequest
from proctor_runtime.transports import codec
from proctor_runtime.transports.codec import Answer, Ask, Cancel, Message

ANY_LENGTH = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]

Arrivals = asyncio.Queue[Answer | Exception]


class TritonClient:
    """Sends messages to the engine's model, and hands each its answers."""

    def __init__(self, address: str, model: str) -> None:
        self._channel = grpc.aio.insecure_channel(address, options=ANY_LENGTH)
        self._stub = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)
        self._model = model
        self._asked = 0
        self._waiting: dict[str, Arrivals] = {}
        self._outgoing: list[Message] = []
        self._writing = False
        self._call: grpc.aio.StreamStreamCall | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def ask(
        self, requests: Sequence[GenerateRequest], *, stream: bool
    ) -> AsyncIterator["Answered"]:
        """Ask, and yield the answers as they come; leaving before the last cancels."""
        self._asked += 1
        asked = Ask(str(self._asked), list(requests), stream=stream)
        arrivals: Arrivals = asyncio.Queue()
        self._waiting[asked.id] = arrivals
        self._send(asked)
        answers = Answered(arrivals)
        try:
            yield answers
        finally:
            del self._waiting[asked.id]
            if not answers.is_last:
                self._send(Cancel(asked.id))

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

    def _send(self, message: Message) -> None:
        self._outgoing.append(message)
        if not self._writing:
            self._writing = True
            self._keep(self._write())

    async def _write(self) -> None:
        """Write until nothing is left: gRPC takes one message at a time."""
        try:
            while self._outgoing:
                messages, self._outgoing = self._outgoing, []
                await self._write_together(messages)
        finally:
            self._writing = False

    async def _write_together(self, messages: Sequence[Message]) -> None:
        """Write messages as one; what is wrong with them is told to who asked, and to nobody else.

        Where the stream broke, `_read` tells all who asked on it, and what comes after goes out on
        the next.
        """
        try:
            with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
                await self._open().write(self._request(messages))
        except Exception as error:
            self._hand([message.id for message in messages], error)

    def _request(self, messages: Sequence[Message]) -> "service_pb2.ModelInferRequest":
        payload = codec.encode(messages)
        tensor = service_pb2.ModelInferRequest.InferInputTensor(
            name="request", datatype="UINT8", shape=[len(payload)]
        )
        return service_pb2.ModelInferRequest(
            model_name=self._model,
            id=",".join(message.id for message in messages),
            inputs=[tensor],
            raw_input_contents=[payload],
        )

    def _open(self) -> "grpc.aio.StreamStreamCall":
        if self._call is None:
            self._call = self._stub.ModelStreamInfer()
            self._keep(self._read(self._call))
        return self._call

    async def _read(self, call: "grpc.aio.StreamStreamCall") -> None:
        """Hand out what arrives; when the stream breaks, that it did, to everybody."""
        ending: Exception = EngineDeadError("Triton closed the stream")
        try:
            async for response in call:
                self._hand_out(response)
        except grpc.aio.AioRpcError as error:
            ending = EngineDeadError(f"the stream to Triton broke: {error.details()}")
        except asyncio.CancelledError:
            ending = EngineDeadError("the stream to Triton was closed")
        self._call = None
        self._hand(self._waiting, ending)

    def _hand_out(self, response: "service_pb2.ModelStreamInferResponse") -> None:
        inferred = response.infer_response
        if response.error_message:
            self._hand(inferred.id.split(","), RuntimeError(f"Triton: {response.error_message}"))
        elif inferred.raw_output_contents:
            for name, answer in codec.decode_answers(inferred.raw_output_contents[0]):
                self._hand([name], answer)

    def _hand(self, names: "Sequence[str] | dict[str, Arrivals]", what: Answer | Exception) -> None:
        for name in names:
            if name in self._waiting:
                self._waiting[name].put_nowait(what)

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class Answered:
    """The answers to one message, until the reader of one knows it for the last."""

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self.is_last = False
        """Whether the answer just taken was the last."""

    def __aiter__(self) -> AsyncIterator[Answer]:
        return self

    async def __anext__(self) -> Answer:
        if self.is_last:
            raise StopAsyncIteration
        arrived = await self._arrivals.get()
        if isinstance(arrived, Exception):
            self.is_last = True
            raise arrived
        return arrived
