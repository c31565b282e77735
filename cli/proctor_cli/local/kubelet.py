"""The kubelet: a `Pod` for every pod object, from its creation to its removal."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from proctor_cli.local.environments import Environments
from proctor_cli.local.node import Node
from proctor_cli.local.objects import Change, Clock, deleting, uid
from proctor_cli.local.pod import Pod
from proctor_cli.local.ports import Ports
from proctor_cli.local.store import Store
from proctor_cli.local.volumes import Claims
from proctor_operator.cluster import Event, Manifest, Ref

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Machine:
    """What all pods share."""

    store: Store
    node: Node
    claims: Claims
    ports: Ports
    environments: Environments
    http: httpx.AsyncClient
    state_dir: Path
    now: Clock
    backoff_seconds: float
    record: Callable[[Event], None]

    def log(self, pod: Manifest, container: str) -> Path:
        """Where a container's output goes; it outlives the pod."""
        ref = Ref.of(pod)
        return self.state_dir / "logs" / ref.namespace / ref.name / f"{container}.log"


class Kubelet:
    """Starts and stops pods as their objects come and go."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._pods: dict[str, Pod] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def on_change(self, change: Change) -> None:
        """Start what is new; end what is being deleted."""
        pod = change.object
        if pod["kind"] != "Pod":
            return
        if change.type == "ADDED":
            self._pods[uid(pod)] = running = Pod(pod, self._machine)
            task = asyncio.create_task(running.run(), name=f"pod {change.ref.name}")
            self._tasks[uid(pod)] = task
            task.add_done_callback(lambda done: self._ended(uid(pod), done))
        elif change.type == "DELETED":
            self._pods.pop(uid(pod), None)
        elif deleting(pod) and uid(pod) in self._pods:
            self._pods[uid(pod)].delete()

    def port(self, pod: Manifest, port: str | int) -> int | None:
        """Where on this machine a port of the pod is."""
        found = self._pods.get(uid(pod))
        return found.ports.resolve(port) if found else None

    def _ended(self, pod: str, task: asyncio.Task[None]) -> None:
        self._tasks.pop(pod)
        if not task.cancelled() and (error := task.exception()):
            log.error("%s", task.get_name(), exc_info=error)

    async def close(self, grace_seconds: float | None) -> None:
        """End every process: SIGTERM, SIGKILL after `grace_seconds` (None: as each pod says).

        Whoever cancels this has no more patience: SIGKILL at once.
        """
        for pod in self._pods.values():
            pod.leave(grace_seconds)
        try:
            await self._all_ended()
        except asyncio.CancelledError:
            for pod in self._pods.values():
                pod.kill()
            await self._all_ended()
            raise

    async def _all_ended(self) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks.values())
