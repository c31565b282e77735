"""Run a subprocess: its output goes to stderr as it comes, and its end is kept."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TAIL_BYTES = 64 << 10
GRACE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How it ended."""

    exit_code: int
    """Negative: the signal that killed it."""
    tail: str
    """The last of its output."""


def run_child(argv: Sequence[str], cwd: Path, env: Mapping[str, str]) -> Ended:
    """Run to the end; if we are interrupted, so is the child."""
    with subprocess.Popen(  # noqa: S603 - argv is ours, and no shell reads it
        argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, bufsize=0,
    ) as process:  # fmt: skip
        try:
            tail = _relay(process)
            return Ended(process.wait(), tail.decode(errors="replace"))
        finally:
            _stop(process)


def _relay(process: "subprocess.Popen[bytes]") -> bytes:
    assert process.stdout is not None, "asked for by PIPE"  # noqa: S101
    tail = b""
    while chunk := os.read(process.stdout.fileno(), 1 << 16):
        sys.stderr.buffer.write(chunk)
        sys.stderr.buffer.flush()
        tail = (tail + chunk)[-TAIL_BYTES:]
    return tail


def _stop(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
