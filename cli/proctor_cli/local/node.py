"""This machine as the one node of its cluster: what pods may have of it."""

import asyncio
import shutil
from collections.abc import Iterable

from proctor_cli.local.objects import GPU
from proctor_cli.local.spawn import bounded
from proctor_operator.cluster import Manifest


class Node:
    """The GPUs of this machine, and which pod has which. None: as many as nvidia-smi lists."""

    def __init__(self, gpus: int | None) -> None:
        self._given = gpus
        self._total = 0
        self._free: set[int] = set()

    async def discover(self) -> None:
        """Count the GPUs."""
        self._total = await count_gpus() if self._given is None else self._given
        self._free = set(range(self._total))

    def problem(self, pod: Manifest) -> str | None:
        """The scheduler's complaint, if `pod` asks for more than is free."""
        asked = _gpus_asked(pod)
        if asked <= len(self._free):
            return None
        has = f"the pod asks for {asked}, this machine has {self._total}, {len(self._free)} free"
        return f"1 Insufficient {GPU} ({has})"

    def assign(self, pod: Manifest) -> frozenset[int]:
        """GPUs for `pod` alone, of which there are enough."""
        return frozenset(self._free.pop() for _ in range(_gpus_asked(pod)))

    def release(self, gpus: Iterable[int]) -> None:
        """Let others have `gpus`."""
        self._free.update(gpus)


async def count_gpus() -> int:
    """How many GPUs nvidia-smi lists; none where there is no nvidia-smi."""
    if shutil.which("nvidia-smi") is None:
        return 0
    options = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.DEVNULL}
    async with bounded("nvidia-smi", "-L", **options) as process:
        listing, _ = await process.communicate()
    return sum(line.startswith(b"GPU ") for line in listing.splitlines())


def _gpus_asked(pod: Manifest) -> int:
    """Of containers that run together the sum; of init containers, one by one, the largest."""
    inits = pod["spec"].get("initContainers", [])
    together = [*pod["spec"]["containers"], *(each for each in inits if restarts_always(each))]
    alone = [_gpus_of(each) for each in inits if not restarts_always(each)]
    return max([sum(map(_gpus_of, together)), *alone])


def restarts_always(init_container: Manifest) -> bool:
    """Whether an init container is a native sidecar."""
    return bool(init_container.get("restartPolicy") == "Always")


def _gpus_of(container: Manifest) -> int:
    resources = container.get("resources", {})
    amounts = {**resources.get("requests", {}), **resources.get("limits", {})}
    return int(amounts.get(GPU, 0))
