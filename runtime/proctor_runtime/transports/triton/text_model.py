"""The Triton model of texts, for clients that know Triton and nothing of this runtime.

In: ``text_input`` and, optionally, ``parameters``, a JSON object of the fields of
``POST /v1/completions``. Out: ``text_output``, the first choice's text, and ``response``, the whole
answer as that route gives it, or its error object; then the text is empty. All are
``BYTES [n, 1]``, a row for each prompt. Rows have nothing to do with each other, whoever sent them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
import numpy as np
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor

Complete = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
"""Answers a completion request's fields with an answer's, or with an error's."""

INPUTS = [
    Tensor(name="text_input", dtype=bytes, shape=(1,)),
    Tensor(name="parameters", dtype=bytes, shape=(1,), optional=True),
]
OUTPUTS = [
    Tensor(name="text_output", dtype=bytes, shape=(1,)),
    Tensor(name="response", dtype=bytes, shape=(1,)),
]

INSTANCES = 2
"""While one instance's batch is in the engine, the other's joins it there."""

QUEUE_DELAY_MICROSECONDS = 1000


class TextModel:
    """Answers rows by completing them."""

    def __init__(self, complete: Complete, max_batch_size: int) -> None:
        self._complete = complete
        # Triton collects rows into batches.
        batcher = DynamicBatcher(max_queue_delay_microseconds=QUEUE_DELAY_MICROSECONDS)
        self.config = ModelConfig(max_batch_size=max_batch_size, batcher=batcher)

    async def infer(self, requests: Sequence[Any]) -> list[dict[str, np.ndarray[Any, Any]]]:
        """Answer one of Triton's batches; runs in pytriton's threads."""
        rows = [rows_of(request) for request in requests]
        answers = iter(await asyncio.gather(*[self._answer(*row) for some in rows for row in some]))
        return [columns([next(answers) for _ in some]) for some in rows]

    async def _answer(self, text: bytes, parameters: bytes) -> tuple[bytes, bytes]:
        """Return a row's text and its whole answer."""
        try:
            fields = msgspec.json.decode(parameters or b"{}", type=dict[str, Any])
            asked = {**fields, "prompt": text.decode()}
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return b"", msgspec.json.encode(refusal(str(error)))
        answer = await self._complete(asked)
        choices = answer.get("choices") or [{"text": ""}]
        return choices[0]["text"].encode(), msgspec.json.encode(answer)


def refusal(why: str) -> dict[str, Any]:
    """Return an error object for tensors that cannot be read."""
    message = f"text_input must be UTF-8 and parameters a JSON object: {why}"
    kind = "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}


def rows_of(request: Any) -> list[tuple[bytes, bytes]]:
    """Return a request's rows: text and parameters."""
    texts = request["text_input"][:, 0]
    parameters = request.data.get("parameters")
    return [
        (text, b"" if parameters is None else parameters[row, 0]) for row, text in enumerate(texts)
    ]


def columns(answers: Sequence[tuple[bytes, bytes]]) -> dict[str, np.ndarray[Any, Any]]:
    """Return answers as Triton's output tensors."""
    return {
        "text_output": np.array([[text] for text, _ in answers], dtype=object),
        "response": np.array([[whole] for _, whole in answers], dtype=object),
    }
