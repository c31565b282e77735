"""Looking at processes from outside."""

import asyncio
import os
from contextlib import suppress
from pathlib import Path


def alive(pid: int) -> bool:
    """Whether the process runs; one that nobody has reaped yet does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


async def ended(*pids: int, seconds: float = 30) -> None:
    """Wait until none of the processes runs."""
    async with asyncio.timeout(seconds):
        while any(map(alive, pids)):  # noqa: ASYNC110  not our children
            await asyncio.sleep(0.02)


def in_whose_environment(text: str) -> set[int]:
    """Processes that have `text` in their environment."""
    found = set()
    for directory in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if text.encode() in (directory / "environ").read_bytes():
                found.add(int(directory.name))
    return found


async def written(path: Path, lines: int = 1, seconds: float = 60) -> list[int]:
    """The numbers in a file, once there are as many as that."""
    async with asyncio.timeout(seconds):
        while len(found := _numbers(path)) < lines:  # noqa: ASYNC110  nobody tells us
            await asyncio.sleep(0.02)
    return found


def _numbers(path: Path) -> list[int]:
    return [int(each) for each in path.read_text().split()] if path.exists() else []


FAMILY = """
import os, subprocess, sys, time
child = [sys.executable, "-c", "import time; time.sleep(600)"]
tame, runaway = subprocess.Popen(child), subprocess.Popen(child, start_new_session=True)
with open(os.environ["MOUNT_MODEL"] + "/pids", "w") as pids:
    print(os.getpid(), tame.pid, runaway.pid, file=pids)
"""
"""Python that writes three process ids: its own, a child's, a child's that left its session."""
