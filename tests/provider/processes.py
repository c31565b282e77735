"""Processes that outlive us and are found again: by pid and by the instant they started."""

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.provider.errors import FailedError

PROC = Path("/proc")
LOG_LINES_SHOWN = 15


@dataclass(frozen=True)
class Process:
    """A pid alone may by now be somebody else's; pid and start instant are one process's."""

    pid: int
    start_ticks: int

    @property
    def alive(self) -> bool:
        """Whether that very process still runs."""
        return start_ticks(self.pid) == self.start_ticks

    def kill(self) -> None:
        """End its process group, and wait until it is gone."""
        if not self.alive:
            return
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        until(lambda: not self.alive, 10, f"the end of process {self.pid}")
        with suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)


def start_ticks(pid: int, proc: Path = PROC) -> int | None:
    """When the process started, in ticks since boot; None where it is gone or a zombie."""
    try:
        stat = (proc / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the program's name in parentheses and may itself hold anything.
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in "ZX" else int(fields[18])


def spawn(argv: Sequence[str], log: Path, environment: Mapping[str, str]) -> Process:
    """Start a process in a session of its own."""
    log.parent.mkdir(parents=True, exist_ok=True)
    write = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    pid = os.posix_spawnp(
        argv[0],
        list(argv),
        dict(environment),
        setsid=True,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), write, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
    )
    return Process(pid, start_ticks(pid) or 0)


def until(probe: Callable[[], bool], seconds: float, what: str, log: Path | None = None) -> None:
    """Wait for something; where it does not come, show the end of the log."""
    deadline = time.monotonic() + seconds
    while not probe():
        if time.monotonic() > deadline:
            raise FailedError(f"{what}: not within {seconds:g} s{tail(log)}")
        time.sleep(0.05)


def tail(log: Path | None) -> str:
    """The last lines of a log, for a message."""
    if log is None or not log.exists():
        return ""
    lines = log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
    return f"; the end of {log}:\n" + "\n".join(lines)
