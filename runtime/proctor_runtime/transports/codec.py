"""Engine requests and answers as MessagePack, for what travels between processes.

Messages travel by the handful, and so do answers, each with the id that it answers: what many ask
at once costs little more than what one asks. Floats keep every bit.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from proctor_runtime.engine.protocol import (
    Completion,
    EngineDeadError,
    GenerateRequest,
    QueueFullError,
    RequestTooLargeError,
    TokenEvent,
)


class Ask(msgspec.Struct, frozen=True, tag="ask"):
    """Requests that belong together: one answer for all, or a stream of what happens to them."""

    id: str
    requests: list[GenerateRequest]
    stream: bool = False


class Cancel(msgspec.Struct, frozen=True, tag="cancel"):
    """Nobody waits for the requests of this id any more."""

    id: str


class Completed(msgspec.Struct, frozen=True, tag="completed"):
    """All of them are finished."""

    completions: list[Completion]


class Happened(msgspec.Struct, frozen=True, tag="happened"):
    """What happened to which of them; the last has happened when each has finished."""

    events: list[tuple[int, TokenEvent]]


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """One could not be done, and so none is."""

    kind: str
    message: str
    numbers: tuple[int, ...] = ()


class Cancelled(msgspec.Struct, frozen=True, tag="cancelled"):
    """They are no more, or never were."""


Message = Ask | Cancel
Answer = Completed | Happened | Failed | Cancelled
Answers = list[tuple[str, Answer]]
"""Each with the id of what it answers."""

# Engines may keep numbers in arrays.
ENCODER = msgspec.msgpack.Encoder(enc_hook=lambda value: value.tolist())
MESSAGES = msgspec.msgpack.Decoder(list[Message])
ANSWERS = msgspec.msgpack.Decoder(Answers)


def encode(what: Sequence[Message] | Answers) -> bytes:
    """Return it as MessagePack."""
    return ENCODER.encode(what)


def decode_messages(data: bytes) -> list[Message]:
    """Read messages; `msgspec.DecodeError` where they are none."""
    return MESSAGES.decode(data)


def decode_answers(data: bytes) -> Answers:
    """Read answers."""
    return ANSWERS.decode(data)


def failure(error: Exception) -> Failed:
    """Return an error as an answer."""
    numbers = (error.waiting, error.bound) if isinstance(error, QueueFullError) else ()
    return Failed(type(error).__name__, str(error), numbers)


RAISED: dict[str, Callable[[str, Sequence[int]], Exception]] = {
    "QueueFullError": lambda _, numbers: QueueFullError(*numbers),
    "RequestTooLargeError": lambda message, _: RequestTooLargeError(message),
    "EngineDeadError": lambda message, _: EngineDeadError(message),
}


def error_of(failed: Failed) -> Exception:
    """Return the error that an answer tells of."""
    made: Any = RAISED.get(failed.kind)
    if made is None:
        return RuntimeError(f"{failed.kind}: {failed.message}")
    error: Exception = made(failed.message, failed.numbers)
    return error
