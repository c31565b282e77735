"""Start a program's process, wait for it as long as it may take, and read what became of it."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from proctor_harness.sandbox import confined, landlock
from proctor_harness.sandbox.kernel import architecture

LONGEST_SECONDS = 30.0
START_SECONDS = 20.0
"""For the interpreter, on a machine that has much else to do."""
VERDICT_BYTES = 4096
PROBE = """
import os, socket
for attempt in (socket.socket, os.fork):
    try:
        attempt()
    except OSError:
        continue
    raise SystemError(attempt)
"""
ROOT = Path(__file__).parents[2]
PASSED = "passed"
TIMED_OUT = "timed out"


class ExecutionError(Exception):
    """The program could not be executed, which is not its fault."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a program."""

    result: str
    """`passed`, `timed out` or why it failed."""

    @property
    def passed(self) -> bool:
        """Whether it came to its end."""
        return self.result == PASSED


def refusal() -> str | None:
    """Why no program can be confined here; None where one can.

    Files are confined by the kernel, or by the container where all of its root is read-only.
    """
    try:
        architecture()
    except OSError as error:
        return str(error)
    read_only = bool(os.statvfs("/").f_flag & os.ST_RDONLY)
    if not landlock.version() and not read_only:
        return "this kernel has no Landlock, and the root file system can be written"
    try:
        probe = run(PROBE, seconds=10)
    except ExecutionError as error:
        return f"a program cannot be confined: {error}"
    return None if probe.passed else f"a program is not confined: {probe.result}"


def run(program: str, seconds: float) -> Verdict:
    """Execute it, at most `seconds` and at most `LONGEST_SECONDS`. Raises ExecutionError."""
    allowed = min(seconds, LONGEST_SECONDS)
    reading, writing = os.pipe()
    with tempfile.TemporaryDirectory() as folder, os.fdopen(reading, "rb") as verdict:
        process = _start(folder, writing, ceil(allowed))
        os.close(writing)
        ended = _wait(process, program, verdict.fileno(), allowed)
        said = verdict.read(VERDICT_BYTES).decode(errors="replace")
    if not said.startswith(confined.BEGUN):
        raise ExecutionError(f"a program did not begin ({process.returncode})")
    if said := said.removeprefix(confined.BEGUN):
        return Verdict(said)
    if not ended or process.returncode == -signal.SIGXCPU:
        return Verdict(TIMED_OUT)
    return Verdict(f"failed: it ended its process ({process.returncode})")


def _start(folder: str, verdict: int, seconds: int) -> "subprocess.Popen[bytes]":
    # Nothing of this process: neither variables nor files nor group.
    return subprocess.Popen(  # noqa: S603  the program goes by stdin, to what confines it first
        [sys.executable, "-I", "-B", confined.__file__, str(ROOT), str(verdict), str(seconds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env={"LANG": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1", "HOME": folder, "TMPDIR": folder},
        pass_fds=[verdict],
        start_new_session=True,
    )


def _wait(process: "subprocess.Popen[bytes]", program: str, verdict: int, seconds: float) -> bool:
    """Whether it ended by itself; the program's time begins when it does."""
    try:
        with contextlib.suppress(BrokenPipeError):  # it is dead, which is seen below
            _hand_over(process, program)
        if not select.select([verdict], [], [], START_SECONDS)[0]:
            return False
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    finally:
        # Its group too, although it cannot have started anything.
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return True


def _hand_over(process: "subprocess.Popen[bytes]", program: str) -> None:
    assert process.stdin is not None, "asked for by PIPE"  # noqa: S101
    with process.stdin as standard_input:
        standard_input.write(program.encode(errors="replace"))
