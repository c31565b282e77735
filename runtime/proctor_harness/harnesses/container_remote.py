"""Have a command run in the Eval-Factory image's container, as if it were a process of ours.

``container_remote ARGUMENT...`` prints what it prints and ends as it ends.
"""

import json
import os
import sys
import time
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

FOLDER = "worker"
"""Below the scratch volume that the two containers share."""
SCRIPT = "worker.py"
START_SECONDS = 120.0
"""For the worker to begin; the image is there and its container runs when ours does."""
LOOK_SECONDS = 0.1


def ask(argv: Sequence[str]) -> int:
    """Have it run; gives the exit code."""
    folder = exchange()
    base = folder / str(len(list(folder.glob("*.json"))))
    _write(base.with_suffix(".json"), json.dumps(list(argv)))
    log, ended = base.with_suffix(".log"), base.with_suffix(".exit")
    if not _appears(log):
        sys.stderr.write(
            f"the image's container took no work in {START_SECONDS:g} s: has it Python 3?\n"
        )
        return 1
    with log.open("rb") as output:
        while not ended.exists():
            _relay(output.read())
            time.sleep(LOOK_SECONDS)
        _relay(output.read())
    code = int(ended.read_text(encoding="utf-8"))
    # A shell's spelling of a signal, for an exit code cannot be negative.
    return code if code >= 0 else 128 - code


def exchange() -> Path:
    """The folder of requests, and in it the worker's script, which its container waits for."""
    folder = Path(os.environ["MOUNT_SCRATCH"]) / FOLDER
    folder.mkdir(exist_ok=True)
    if not (folder / SCRIPT).exists():
        source = files("proctor_harness.harnesses") / "container_worker.py"
        _write(folder / SCRIPT, source.read_text(encoding="utf-8"))
    return folder


def _write(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.rename(path)


def _appears(path: Path) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while not path.exists():
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_SECONDS)
    return True


def _relay(output: bytes) -> None:
    sys.stdout.buffer.write(output)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(ask(sys.argv[1:]))
