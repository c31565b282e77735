"""The pod's last words: a `RunResult` or a `Failure`, within what the kubelet keeps."""

from bisect import bisect_right
from collections.abc import Callable
from pathlib import Path

from proctor_crds import packing
from proctor_crds.base import Model
from proctor_crds.wire import TERMINATION_LIMIT, Failure, RunResult

Shortened = Callable[[int], Model]


def write(path: Path, message: Model, limit: int = TERMINATION_LIMIT) -> None:
    """Leave the message for the kubelet."""
    path.write_text(encode(message, limit), encoding="utf-8")


def encode(message: Model, limit: int = TERMINATION_LIMIT) -> str:
    """The most compact JSON that reads back equal; packed where it is longer than `limit` bytes."""
    text = _json(message)
    return text if len(text.encode()) <= limit else packing.packed(text)


def clipped(failure: Failure, limit: int = TERMINATION_LIMIT) -> Failure:
    """Cut the end of what it says until the message fits."""

    def shortened(length: int) -> Failure:
        return failure.model_copy(update={"message": failure.message[:length]})

    return shortened(_most(len(failure.message), limit, shortened))


def fitted(result: RunResult, limit: int = TERMINATION_LIMIT) -> RunResult:
    """Drop trailing records until the message fits; of what is unscored, a quarter's room."""
    if _fits(result, limit):
        return result
    parts = _most(len(result.unscored), limit // 4, lambda count: _first(result, 0, count))
    count = _most(len(result.results), limit, lambda count: _first(result, count, parts))
    return _first(result, count, parts)


def _most(length: int, limit: int, shortened: Shortened) -> int:
    """The longest beginning that fits; nothing always does."""
    counts = range(1, length + 1)
    return bisect_right(counts, False, key=lambda count: not _fits(shortened(count), limit))


def _first(result: RunResult, records: int, parts: int) -> RunResult:
    kept = {"results": result.results[:records], "unscored": result.unscored[:parts]}
    return result.model_copy(update=kept | {"truncated": True})


def _fits(message: Model, limit: int) -> bool:
    written = len(encode(message, limit).encode())
    return written <= limit and len(_json(message).encode()) <= packing.LONGEST


def _json(message: Model) -> str:
    return message.model_dump_json(by_alias=True, exclude_defaults=True)
