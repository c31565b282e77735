"""Through a Triton Inference Server that pytriton runs beside this process.

The model has one input and one output, ``request`` and ``response``, each a column of JSON texts
(``BYTES [n, 1]``): a `GenerateRequest` in, an `Answer` out. So requests with different parameters
share Triton's batches, a request's failure stays its own, and the front sends all prompts of one
HTTP request in one call. Every row goes to the one batcher, whoever sent it: the HTTP front, or a
client of Triton's own ports.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

import numpy as np
from tritonclient.http import InferInput, InferRequestedOutput
from tritonclient.http.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from proctor_runtime.engine.batcher import Batcher
from proctor_runtime.engine.protocol import Completion, EngineDeadError, GenerateRequest
from proctor_runtime.settings import Addresses
from proctor_runtime.transports import codec
from proctor_runtime.transports.codec import Answer
from proctor_runtime.transports.triton_server import TritonServer, started

CONNECTIONS = 256
"""More HTTP requests than this wait for each other before Triton sees them."""

NO_TIMEOUT_SECONDS = 24 * 3600.0
"""A long generation in a long queue is no error: whoever asked decides when to give up."""

LONGEST_NAME = 40
"""Of Triton's model; long names make long socket paths."""

UNHEALTHY_PAUSES = (0.2, 0.5, 1.0, 2.0)


class TritonTransport:
    """A running Triton server, and the one pooled client that the front uses."""

    name = "triton"

    def __init__(
        self, batcher: Batcher, model_name: str, addresses: Addresses, max_batch_size: int
    ) -> None:
        self._batcher = batcher
        self._model = triton_name(model_name)
        self._addresses = addresses
        self._url = f"127.0.0.1:{addresses.triton_http}"
        self._max_batch_size = max_batch_size
        self._client: InferenceServerClient | None = None
        self._server: TritonServer | None = None

    def start(self) -> None:
        """Start the server and wait for its model."""
        self._server = started(
            lambda: TritonServer(self._model, self._infer, self._addresses, self._max_batch_size)
        )

    def stop(self) -> None:
        """Stop the server."""
        if self._server is not None:
            self._server.stop()

    async def _infer(self, requests: Sequence[Any]) -> list[dict[str, np.ndarray[Any, Any]]]:
        """Answer one of Triton's batches; runs in pytriton's threads."""
        columns = [request["request"] for request in requests]
        answers = iter(
            await asyncio.gather(*[self._answer(row) for column in columns for row in column[:, 0]])
        )
        return [
            {"response": np.array([[next(answers)] for _ in column], dtype=object)}
            for column in columns
        ]

    async def _answer(self, row: bytes) -> bytes:
        """Answer one row, whatever happens to it."""
        try:
            request = codec.decode_request(row)
            future: Future[Completion] = self._batcher.submit(request)
            completion = await asyncio.wrap_future(future)
            answer = Answer(completion=completion)
        except Exception as error:
            answer = Answer(error=f"{type(error).__name__}: {error}")
        return codec.encode_answer(answer)

    async def generate(self, requests: Sequence[GenerateRequest]) -> list[Completion]:
        """Answer the requests, in their order, in as few calls as Triton's batches allow."""
        step = self._max_batch_size
        chunks = [requests[i : i + step] for i in range(0, len(requests), step)]
        answered = await asyncio.gather(*map(self._call, chunks))
        return [completion for chunk in answered for completion in chunk]

    async def _call(self, requests: Sequence[GenerateRequest]) -> list[Completion]:
        rows = np.array([[codec.encode_request(request)] for request in requests], dtype=object)
        column = InferInput("request", list(rows.shape), "BYTES")
        column.set_data_from_numpy(rows)
        output = InferRequestedOutput("response", binary_data=True)
        result = await self._infer_patiently([column], [output])
        return [
            completion_of(codec.decode_answer(row)) for row in result.as_numpy("response")[:, 0]
        ]

    async def _infer_patiently(self, inputs: list[Any], outputs: list[Any]) -> Any:
        """Ask Triton, again if it was too impatient with its own Python stub.

        On a starved machine the stub's heartbeat comes late, and Triton gives the request up.
        """
        for pause in UNHEALTHY_PAUSES:
            try:
                return await self._pool().infer(self._model, inputs, outputs=outputs)
            except InferenceServerException as error:
                if "is not healthy" not in str(error):
                    raise
            await asyncio.sleep(pause)
        return await self._pool().infer(self._model, inputs, outputs=outputs)

    async def is_ready(self) -> bool:
        """Tell whether Triton has the model ready."""
        try:
            return bool(await self._pool().is_model_ready(self._model))
        except OSError:
            return False

    def is_alive(self) -> bool:
        """Tell whether the server's process runs."""
        return self._server is not None and self._server.is_alive()

    async def close(self) -> None:
        """Close the client's connections."""
        if self._client is not None:
            await self._client.close()

    def _pool(self) -> InferenceServerClient:
        # Made on first use, for it belongs to the event loop that it is made in.
        if self._client is None:
            self._client = InferenceServerClient(
                self._url, conn_limit=CONNECTIONS, conn_timeout=NO_TIMEOUT_SECONDS
            )
        return self._client


def completion_of(answer: Answer) -> Completion:
    """Return the completion, or raise what became of it."""
    if answer.completion is None:
        raise EngineDeadError(answer.error)
    return answer.completion


def triton_name(model_name: str) -> str:
    """Return a name that Triton's URLs and files can carry."""
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in model_name)[:LONGEST_NAME]
