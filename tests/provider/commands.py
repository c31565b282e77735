"""Running a command to its end: silent where it works, its words where it fails."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.provider.errors import FailedError

STANDARD_ERROR = 2


def run(
    *command: str | Path,
    stdin: str | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> str:
    """Its standard output; FailedError with its standard error where it fails."""
    argv = [str(word) for word in command]
    done = subprocess.run(
        argv, input=stdin, cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise FailedError(f"{' '.join(argv)}\nexit {done.returncode}: {done.stderr[-4000:]}")
    return done.stdout


def succeeds(*command: str | Path) -> bool:
    """Whether it exits 0; a missing program does not."""
    try:
        run(*command)
    except (FailedError, FileNotFoundError):
        return False
    return True


def stream(*command: str | Path, cwd: Path | None = None) -> None:
    """Let a person watch, on standard error: for commands that take minutes."""
    argv = [str(word) for word in command]
    if code := subprocess.run(argv, cwd=cwd, stdout=STANDARD_ERROR, check=False).returncode:
        raise FailedError(f"{' '.join(argv[:6]) + (' ...' if argv[6:] else '')}: exit {code}")


def every(commands: Sequence[str]) -> None:
    """Run lines of words in order."""
    for line in commands:
        run(*line.split())
