"""Runs one container's command, and sees to it that nothing of it is left behind.

LocalCluster starts `python -I -S shim.py COMMAND...` for every container, as containerd starts its
own shim. It stands between the two because only a process of its own can promise that

- when the command ends, whatever it started ends too, as with a container's PID namespace: on Linux
  the shim is the "subreaper" to which orphans of any session fall;
- when LocalCluster dies, even by SIGKILL, the command dies: the shim's standard input is a pipe
  that only LocalCluster holds open.

On that pipe `T` asks for SIGTERM to the command, `K` (or its end) for SIGKILL to everything.
Standard library only: it must start in milliseconds, and it runs without site-packages.
"""

import ctypes
import os
import select
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
ORDERS = 0  # standard input
NOT_STARTED = 128  # what Kubernetes reports for a command that could not be executed


def main(command: list[str]) -> int:
    """Run `command` to its end; its exit code, or 128 plus the signal that ended it."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    wakeup = _wake_on_child_exit()
    child = _start(command)
    try:
        return _supervise(child, wakeup)
    finally:
        _end_all(child)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _wake_on_child_exit() -> int:
    """A descriptor that becomes readable when a child ends."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return reader


def _start(command: list[str]) -> int:
    """Fork and execute: a single-threaded process may do so without `subprocess`."""
    shim = os.getpid()
    child = os.fork()
    if child:
        return child
    try:
        os.setsid()
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # should somebody kill the shim itself
        if os.getppid() != shim:  # somebody has already
            os._exit(NOT_STARTED)
        for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # Python's doing, inherited through exec
            signal.signal(ignored, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), ORDERS)
        os.execvp(command[0], command)  # noqa: S606  the manifest's command is what we are for
    except OSError as error:
        os.write(2, f"exec {command[0]}: {error.strerror}\n".encode())
    os._exit(NOT_STARTED)


def _supervise(child: int, wakeup: int) -> int:
    watched = [ORDERS, wakeup]
    while True:
        ready, _, _ = select.select(watched, [], [])
        if ORDERS in ready:
            order = os.read(ORDERS, 1)
            if order == b"T":
                os.kill(child, signal.SIGTERM)
            else:
                watched = [wakeup]
                _kill_group(child)
        if wakeup in ready:
            os.read(wakeup, 512)
            code = _reap(child)
            if code is not None:
                return code


def _reap(child: int) -> int | None:
    """Collect ended children, adopted ones too; the exit code if `child` is among them."""
    code = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code
        if pid == 0:
            return code
        if pid == child:
            exit_code = os.waitstatus_to_exitcode(status)
            code = exit_code if exit_code >= 0 else 128 - exit_code


def _end_all(child: int) -> None:
    """Kill what the command left running, generation by generation."""
    _kill_group(child)
    while orphans := _children():
        for pid in orphans:
            os.kill(pid, signal.SIGKILL)
        for pid in orphans:
            os.waitpid(pid, 0)


def _kill_group(child: int) -> None:
    try:
        os.killpg(child, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _children() -> list[int]:
    try:
        text = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    except OSError:
        return []  # not Linux: the process group is all that we can know of
    return [int(pid) for pid in text.split()]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
