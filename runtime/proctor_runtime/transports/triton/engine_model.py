"""The Triton model of token ids: one input and one output, each a message of `codec`.

It is decoupled: a request is answered by as many responses as it needs, and Triton hands over the
next while the last is being worked on. So all that come are in the engine together, a request's
parameters are its own, and streams pass.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Future
from typing import Any

import numpy as np
from pytriton.model_config import ModelConfig, Tensor

from proctor_runtime.engine.protocol import Completion
from proctor_runtime.transports import codec
from proctor_runtime.transports.codec import Answer, Ask, Cancel, Cancelled, Completed, Happened
from proctor_runtime.transports.inbox import Inbox, cancel_all, events_of, submit_all
from proctor_runtime.transports.protocol import EngineQueue

INPUTS = [Tensor(name="request", dtype=np.uint8, shape=(-1,))]
OUTPUTS = [Tensor(name="response", dtype=np.uint8, shape=(-1,))]
CONFIG = ModelConfig(batching=False, decoupled=True)

SECONDS_PER_STREAM = 0.002
"""Between two responses of a stream, for each stream under way: what one costs on the way."""

LONGEST_SECONDS = 0.1


class EngineModel:
    """Answers messages from the engine's queue."""

    def __init__(self, queue: EngineQueue) -> None:
        self._queue = queue
        self._under_way: dict[str, list[Future[Completion]]] = {}

    async def infer(
        self, requests: Sequence[Any]
    ) -> AsyncIterator[list[dict[str, np.ndarray[Any, Any]]]]:
        """Answer one of Triton's requests; runs in pytriton's thread."""
        async for answer in self.answers(requests[0]["request"].tobytes()):
            yield [{"response": np.frombuffer(codec.encode(answer), np.uint8)}]

    async def answers(self, data: bytes) -> AsyncIterator[Answer]:
        """Yield the answers to a message, whatever happens."""
        try:
            match codec.decode_message(data):
                case Cancel(id=name):
                    cancel_all(self._under_way.get(name, ()))
                    yield Cancelled()
                case Ask() as asked:
                    async for answer in self._ask(asked):
                        yield answer
        except asyncio.CancelledError:
            yield Cancelled()
        except Exception as error:
            yield codec.failure(error)

    async def _ask(self, asked: Ask) -> AsyncIterator[Answer]:
        inbox = Inbox()
        futures = submit_all(self._queue, asked.requests, inbox if asked.stream else None)
        self._under_way[asked.id] = futures
        try:
            if not asked.stream:
                yield Completed(list(await asyncio.gather(*map(asyncio.wrap_future, futures))))
                return
            async for events in events_of(inbox, len(futures)):
                yield Happened(list(events))
                await asyncio.sleep(self._pause())
        finally:
            cancel_all(futures)
            self._under_way.pop(asked.id, None)

    def _pause(self) -> float:
        """Let events gather, the longer the more streams there are: each response has its price."""
        return min(SECONDS_PER_STREAM * len(self._under_way), LONGEST_SECONDS)
