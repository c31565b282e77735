"""Resident memory of a process and all that it has started, by Linux's /proc."""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from os import sysconf
from pathlib import Path

PAGE = sysconf("SC_PAGE_SIZE")


def resident(pid: int) -> Counter[str]:
    """Return bytes of resident memory by the processes' names; what they share counts for each."""
    found: Counter[str] = Counter()
    for process in family(pid):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
            found["server" if process == pid else name(process)] += pages * PAGE
    return found


def name(pid: int) -> str:
    """Return a process's name, which Linux cuts at 15 characters."""
    return Path(f"/proc/{pid}/comm").read_text().strip()


def family(pid: int) -> Iterator[int]:
    """Yield a process, its children, and theirs."""
    yield pid
    with suppress(FileNotFoundError, ProcessLookupError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                yield from family(int(child))
