"""Start a program's process, wait for it as long as it may take, and read what became of it."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from proctor_harness.sandbox import confined, landlock
from proctor_harness.sandbox.kernel import architecture

LONGEST_SECONDS = 30.0
START_SECONDS = 20.0
"""For the interpreter, on a machine that has much else to do."""
STARVED_SECONDS = 60.0
"""That a program is waited for beyond its time while others have the processor."""
LOOKING_SECONDS = 0.05
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
WANTING = ("R", "D")
"""States of a process that would go on: it has the processor, or waits for it or for a disk."""
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
    """Whether it ended by itself; the program's time begins when it does.

    Raises ExecutionError where the machine gives it no time.
    """
    try:
        with contextlib.suppress(BrokenPipeError):  # it is dead, which is seen below
            _hand_over(process, program)
        if not select.select([verdict], [], [], START_SECONDS)[0]:
            return False
        return _ends(process, seconds)
    finally:
        # Its group too, although it cannot have started anything.
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _ends(process: "subprocess.Popen[bytes]", seconds: float) -> bool:
    """Whether it ends in its time, of which what others take of the processor is no part."""
    began, used = time.monotonic(), scheduled(process.pid)[1]
    while True:
        passed = time.monotonic() - began
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(seconds - passed, LOOKING_SECONDS))
        state, now = scheduled(process.pid) if process.poll() is None else ("Z", used)
        if state not in WANTING or now - used >= seconds:
            return process.poll() is not None
        if passed > seconds + STARVED_SECONDS:
            words = f"the machine gave a program {now - used:.2g} s of its {seconds:g} s"
            raise ExecutionError(f"{words} in {passed:.0f} s: it is too busy")


def scheduled(pid: int) -> tuple[str, float]:
    """A process's state, and the seconds of a processor that it has had (proc_pid_stat(5))."""
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return stat[0], (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")


def _hand_over(process: "subprocess.Popen[bytes]", program: str) -> None:
    assert process.stdin is not None, "asked for by PIPE"  # noqa: S101
    with process.stdin as standard_input:
        standard_input.write(program.encode(errors="replace"))
