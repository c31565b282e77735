"""The pod's last words: a `RunResult` or a `Failure`, within what the kubelet keeps."""

from bisect import bisect_right
from pathlib import Path

from proctor_crds.base import Model
from proctor_crds.wire import TERMINATION_LIMIT, RunResult


def write(path: Path, message: Model) -> None:
    """Leave the message for the kubelet."""
    path.write_text(encode(message), encoding="utf-8")


def encode(message: Model) -> str:
    """The most compact JSON that reads back equal."""
    return message.model_dump_json(by_alias=True, exclude_defaults=True)


def fitted(result: RunResult, limit: int = TERMINATION_LIMIT) -> RunResult:
    """Drop trailing records until the message fits."""
    if _size(result) <= limit:
        return result
    lengths = range(len(result.results))
    # The first length that is too long; the empty result always fits.
    fits = bisect_right(lengths, limit, key=lambda length: _size(_first(result, length)))
    return _first(result, fits - 1)


def _first(result: RunResult, length: int) -> RunResult:
    return RunResult(results=result.results[:length], truncated=True, requests=result.requests)


def _size(result: RunResult) -> int:
    return len(encode(result).encode())
