"""The Triton model of token ids: messages of `codec` in, answers out, as bytes.

It is decoupled: a request is answered by as many responses as it needs, and Triton hands over the
next while the last is being worked on. So all that come are in the engine together, a request's
parameters are its own, and streams pass.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Future
from typing import Any

import numpy as np
from msgspec import DecodeError
from pytriton.model_config import ModelConfig, Tensor

from proctor_runtime.engine.protocol import Completion
from proctor_runtime.transports import codec
from proctor_runtime.transports.codec import (
    Answer,
    Answers,
    Ask,
    Cancel,
    Cancelled,
    Completed,
    Happened,
)
from proctor_runtime.transports.inbox import Inbox, cancel_all, events_of, submit_all
from proctor_runtime.transports.protocol import EngineQueue

INPUTS = [Tensor(name="request", dtype=np.uint8, shape=(-1,))]
OUTPUTS = [Tensor(name="response", dtype=np.uint8, shape=(-1,))]
CONFIG = ModelConfig(batching=False, decoupled=True)

TOGETHER_SECONDS = 0.001
"""How long answers wait for others: the engine finishes many requests in one step."""

SECONDS_PER_STREAM = 0.002
"""Between two answers of a stream, for each that is under way: what one costs on the way."""

LONGEST_SECONDS = 0.1

Outbox = asyncio.Queue[tuple[str, Answer] | None]
"""Answers on their way out; None when a message will have no more."""


class EngineModel:
    """Answers messages from the engine's queue."""

    def __init__(self, queue: EngineQueue) -> None:
        self._queue = queue
        self._under_way: dict[str, list[Future[Completion]]] = {}

    async def infer(
        self, requests: Sequence[Any]
    ) -> AsyncIterator[list[dict[str, np.ndarray[Any, Any]]]]:
        """Answer one of Triton's requests; runs in pytriton's thread."""
        async for answers in self.answers(requests[0]["request"].tobytes()):
            yield [{"response": np.frombuffer(codec.encode(answers), np.uint8)}]

    async def answers(self, data: bytes) -> AsyncIterator[Answers]:
        """Yield the answers to some messages, whatever happens, as they come."""
        try:
            messages = codec.decode_messages(data)
        except DecodeError as error:
            yield [("", codec.failure(error))]
            return
        outbox: Outbox = asyncio.Queue()
        serving = [asyncio.ensure_future(self._serve(message, outbox)) for message in messages]
        left = len(serving)
        try:
            while left:
                taken = await take_all(outbox, patient=left > 1)
                left -= taken.count(None)
                if answers := [answer for answer in taken if answer is not None]:
                    yield answers
        finally:
            for task in serving:
                task.cancel()

    async def _serve(self, message: codec.Message, outbox: Outbox) -> None:
        try:
            match message:
                case Cancel(id=name):
                    cancel_all(self._under_way.get(name, ()))
                case Ask():
                    await self._ask(message, outbox)
        except asyncio.CancelledError:  # of its futures, by a message; or of itself, at the end
            outbox.put_nowait((message.id, Cancelled()))
        except Exception as error:
            outbox.put_nowait((message.id, codec.failure(error)))
        outbox.put_nowait(None)

    async def _ask(self, asked: Ask, outbox: Outbox) -> None:
        inbox = Inbox()
        futures = submit_all(self._queue, asked.requests, inbox if asked.stream else None)
        self._under_way[asked.id] = futures
        try:
            if not asked.stream:
                completions = await asyncio.gather(*map(asyncio.wrap_future, futures))
                outbox.put_nowait((asked.id, Completed(list(completions))))
                return
            async for events in events_of(inbox, len(futures)):
                outbox.put_nowait((asked.id, Happened(list(events))))
                await asyncio.sleep(self._pause())
        finally:
            cancel_all(futures)
            self._under_way.pop(asked.id, None)

    def _pause(self) -> float:
        """Let events gather, the longer the more streams there are: each answer has its price."""
        return min(SECONDS_PER_STREAM * len(self._under_way), LONGEST_SECONDS)


async def take_all(outbox: Outbox, *, patient: bool) -> list[tuple[str, Answer] | None]:
    """Wait for answers, and return all that there are a moment later, if others may be near."""
    taken = [await outbox.get()]
    if patient:
        await asyncio.sleep(TOGETHER_SECONDS)
    return [*taken, *(outbox.get_nowait() for _ in range(outbox.qsize()))]
