"""What a node leaves behind when its own processes are gone: containers, their shims, cgroups."""

import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path

from tests.provider.processes import PROC, start_ticks, until

# containerd's shims inherit it, so what belongs to a node is found without any record.
MARK = "PROCTOR_NODE"
CGROUPS = Path("/sys/fs/cgroup")


def kill(state: Path) -> None:
    """End every marked process and everything below it: containers are children of shims."""
    while doomed := _with_descendants(marked(state)):
        for pid in doomed:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        until(partial(_all_ended, doomed), 15, "the end of containers")


def marked(state: Path, proc: Path = PROC) -> set[int]:
    """The processes that were started for the node of this state directory."""
    line = f"{MARK}={state}".encode()
    found = set()
    for entry in proc.iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and line in (entry / "environ").read_bytes().split(b"\0"):
                found.add(int(entry.name))
    return {pid for pid in found if start_ticks(pid, proc)}


def remove_cgroups(root: Path = CGROUPS) -> None:
    """Remove kubelet's groups; those that still hold processes are another kubelet's, and stay."""
    for group in sorted(root.glob("**/kubepods/"), reverse=True):
        for directory, _, _ in os.walk(group, topdown=False):
            with suppress(OSError):
                os.rmdir(directory)  # noqa: PTH106  os.walk gives text


def _all_ended(pids: set[int]) -> bool:
    return not any(map(start_ticks, pids))


def _with_descendants(pids: Iterable[int]) -> set[int]:
    children: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit() and (parent := _parent(entry)):
            children.setdefault(parent, []).append(int(entry.name))
    family, queue = set(), list(pids)
    while queue:
        pid = queue.pop()
        if pid not in family:
            family.add(pid)
            queue += children.get(pid, [])
    return {pid for pid in family if start_ticks(pid)}


def _parent(entry: Path) -> int | None:
    try:
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None
