"""Run in an Eval-Factory image by its own Python, from 3.8 on: does what the driver asks.

``container_worker FOLDER``: takes each ``N.json``, a command; writes what it prints to ``N.log``,
then its exit code to ``N.exit``. It has nothing but the standard library.

Where its container was killed with a command, for want of memory say, and started anew, that
command has failed: it is not begun again, for it may end so each time.
"""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

WAIT_SECONDS = 0.1
KILLED = 137
"""A shell's spelling of SIGKILL."""


def main() -> None:
    """Serve until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    number = 0
    while True:
        request = Path(sys.argv[1]) / f"{number}.json"
        if request.exists():
            do(request)
            number += 1
        else:
            time.sleep(WAIT_SECONDS)


def do(request: Path) -> None:
    """One command, from its file to its exit code's, unless a worker before had it."""
    ended, begun = request.with_suffix(".exit"), request.with_suffix(".log")
    if ended.exists():
        return
    code = lost(begun) if begun.exists() else run(request)
    part = request.with_suffix(".part")
    part.write_text(str(code), encoding="utf-8")
    part.rename(ended)


def lost(begun: Path) -> int:
    """What became of a command that a worker before had begun."""
    with begun.open("a", encoding="utf-8") as log:
        log.write("\nthe image's container was killed under the command; memory may have run out\n")
    return KILLED


def run(request: Path) -> int:
    """The command's exit code."""
    argv = json.loads(request.read_text(encoding="utf-8"))
    with request.with_suffix(".log").open("wb") as log:
        try:
            return subprocess.call(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)  # noqa: S603  the driver's
        except OSError as error:
            log.write(f"the image cannot run {argv[0]}: {error}\n".encode())
            return 127


if __name__ == "__main__":
    main()
