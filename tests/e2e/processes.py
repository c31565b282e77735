"""The processes of a pod, seen from the machine that its node runs on."""

import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from tests.kube import Manifest

PROC = Path("/proc")


def container_processes(pod: Manifest, word: str) -> list[int]:
    """Processes in the pod's control groups whose command line contains `word`.

    The kubelet names a pod's group by its uid, with `_` for `-` where systemd makes the groups.
    """
    uid = pod["metadata"]["uid"]
    found = []
    for entry in PROC.glob("[0-9]*"):
        with suppress(OSError):
            groups = (entry / "cgroup").read_text().replace("_", "-")
            if uid in groups and word.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


def kill(pids: Iterable[int]) -> None:
    """SIGKILL: no process can prepare for it. From outside, for a pod's first is safe from within.

    Raises RuntimeError where there is nothing to kill: the node is not on this machine.
    """
    doomed = list(pids)
    if not doomed:
        raise RuntimeError("no such process on this machine: the node runs on another")
    for pid in doomed:
        os.kill(pid, signal.SIGKILL)
