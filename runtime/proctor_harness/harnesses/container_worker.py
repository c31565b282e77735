"""Run in an Eval-Factory image by its own Python, from 3.8 on: does what the driver asks.

``container_worker FOLDER``: takes each ``N.json``, a command; writes what it prints to ``N.log``,
then its exit code to ``N.exit``. It has nothing but the standard library.
"""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

WAIT_SECONDS = 0.1


def main() -> None:
    """Serve until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    number = 0
    while True:
        request = Path(sys.argv[1]) / f"{number}.json"
        if request.exists():
            run(request)
            number += 1
        else:
            time.sleep(WAIT_SECONDS)


def run(request: Path) -> None:
    """One command, from its file to its exit code's."""
    argv = json.loads(request.read_text(encoding="utf-8"))
    with request.with_suffix(".log").open("wb") as log:
        try:
            code = subprocess.call(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)  # noqa: S603  the driver's
        except OSError as error:
            log.write(f"the image cannot run {argv[0]}: {error}\n".encode())
            code = 127
    part = request.with_suffix(".part")
    part.write_text(str(code), encoding="utf-8")
    part.rename(request.with_suffix(".exit"))


if __name__ == "__main__":
    main()
