"""One pod: placed, its volumes made, its containers run in order and ended in order."""

import asyncio
import logging
import shutil
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from proctor_cli.local.container import Container
from proctor_cli.local.container_files import ContainerFiles
from proctor_cli.local.launch import EventType, Surrounding
from proctor_cli.local.node import restarts_always
from proctor_cli.local.objects import timestamp
from proctor_cli.local.pod_status import Observed, pod_status
from proctor_cli.local.ports import PodPorts
from proctor_cli.local.variables import ConfigError
from proctor_cli.local.volumes import PodVolumes
from proctor_operator.cluster import Event, Manifest, Ref

if TYPE_CHECKING:
    from proctor_cli.local.kubelet import Machine

log = logging.getLogger(__name__)

_SIDECAR_GRACE_SECONDS = 2.0  # even where the main containers used up the pod's whole grace


class Pod:
    """Runs the pod's containers and keeps its status true."""

    def __init__(self, manifest: Manifest, machine: "Machine") -> None:
        self.ref = Ref.of(manifest)
        self.ports = PodPorts(manifest, machine.ports)
        self._manifest = manifest
        self._spec = manifest["spec"]
        self._machine = machine
        self._directory = machine.state_dir / "pods" / str(manifest["metadata"]["uid"])
        self._volumes = PodVolumes(manifest, self._directory / "volumes", machine.claims)
        self._gpus: frozenset[int] = frozenset()
        self._init: list[Container] = []
        self._main: list[Container] = []
        self._unschedulable: str | None = None
        self._failure: tuple[str, str] | None = None
        self._started: str | None = None
        self._ended = False
        self._grace = float(self._spec.get("terminationGracePeriodSeconds", 30))
        self._asked_to_end = asyncio.Event()
        self._asked_to_go = asyncio.Event()

    async def run(self) -> None:
        """Live until the object is deleted, or the machine is shut down."""
        work = asyncio.create_task(self._work())
        await _either(work, self._asked_to_end.wait())
        work.cancel()
        await asyncio.wait({work})
        self._note_failure(work)
        await self._end_containers()
        self._ended = True
        self._machine.node.release(self._gpus)
        self._report()
        await self._asked_to_go.wait()
        self.ports.release()
        shutil.rmtree(self._directory, ignore_errors=True)
        self._machine.store.set_metadata(self.ref, deletionGracePeriodSeconds=0)

    def delete(self) -> None:
        """End, and complete the deletion of the object."""
        self._asked_to_go.set()
        self._asked_to_end.set()

    def leave(self, grace_seconds: float | None) -> None:
        """End because the machine is shut down."""
        if grace_seconds is not None:
            self._grace = min(self._grace, grace_seconds)
        self.delete()

    def kill(self) -> None:
        """SIGKILL to every process at once."""
        for each in (*self._main, *self._init):
            each.kill()

    async def _work(self) -> None:
        """What the pod is for. Returns when no container will be started again."""
        await self._schedule()
        self._admit()
        await self._mount()
        if await self._initialize():
            tasks = [each.start() for each in self._main]
            await asyncio.wait(tasks)
            for task in tasks:
                task.result()  # raises a fault of ours

    async def _schedule(self) -> None:
        machine = self._machine
        while problem := (
            machine.claims.problem(self._manifest) or machine.node.problem(self._manifest)
        ):
            if problem != self._unschedulable:
                self._tell("Warning", "FailedScheduling", f"0/1 nodes are available: {problem}.")
            self._unschedulable = problem
            self._report()
            await machine.store.next_change()
        self._unschedulable = None
        self._gpus = machine.node.assign(self._manifest)
        self._tell("Normal", "Scheduled", "Successfully assigned to localhost")

    def _admit(self) -> None:
        self._started = timestamp(self._machine.now())
        policy = self._spec.get("restartPolicy", "Always")
        once = "Never" if policy == "Never" else "OnFailure"
        self._init = [
            self._container(each, "Always" if restarts_always(each) else once)
            for each in self._spec.get("initContainers", [])
        ]
        self._main = [self._container(each, policy) for each in self._spec["containers"]]
        self._report()

    def _container(self, spec: Manifest, restart: str) -> Container:
        machine = self._machine
        around = Surrounding(
            pod=self._manifest,
            ports=self.ports,
            volumes=self._volumes,
            gpus=self._gpus,
            environments=machine.environments,
            lookup=machine.store.get,
            next_change=machine.store.next_change,
            http=machine.http,
            now=machine.now,
            backoff_seconds=machine.backoff_seconds,
            report=self._report,
            tell=self._tell,
        )
        path = machine.log(self._manifest, spec["name"])
        files = ContainerFiles(spec, self._directory / spec["name"], path)
        return Container(spec, restart, files, around)

    async def _mount(self) -> None:
        told = ""
        while True:
            try:
                return self._volumes.prepare(self._machine.store.get)
            except ConfigError as error:
                if str(error) != told:
                    told = str(error)
                    self._tell("Warning", "FailedMount", f"MountVolume.SetUp failed: {error}")
            await self._machine.store.next_change()

    async def _initialize(self) -> bool:
        """Init containers one after the other; a sidecar only has to start. False: one failed."""
        for each in self._init:
            task = each.start()
            if restarts_always(each.spec):
                await _either(task, each.started.wait())
            else:
                await asyncio.wait({task})
                if task.result():
                    return False
        return True

    async def _end_containers(self) -> None:
        """The main ones together, then sidecars from the last to the first, in one grace period."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._grace
        sidecars = [each for each in self._init if restarts_always(each.spec)]
        others = [*self._main, *(each for each in self._init if each not in sidecars)]
        await asyncio.gather(*(each.stop(self._grace) for each in others))
        for each in reversed(sidecars):
            least = min(self._grace, _SIDECAR_GRACE_SECONDS)
            await each.stop(max(deadline - clock(), least))

    def _note_failure(self, work: "asyncio.Task[None]") -> None:
        """A fault of ours must show in the pod's status rather than leave it waiting for ever."""
        if work.cancelled() or (error := work.exception()) is None:
            return
        log.error("pod %s", self.ref.name, exc_info=error)
        self._failure = ("LocalClusterError", f"{type(error).__name__}: {error}")

    def _report(self) -> None:
        live = self._machine.store.get(self.ref)
        if live is None:
            return
        observed = Observed(
            spec=self._spec,
            init=[each.status() for each in self._init],
            main=[each.status() for each in self._main],
            unschedulable=self._unschedulable,
            failure=self._failure,
            started=self._started,
            ended=self._ended,
        )
        now = timestamp(self._machine.now())
        self._machine.store.set_status(self.ref, pod_status(observed, live.get("status", {}), now))

    def _tell(self, kind: EventType, reason: str, message: str) -> None:
        self._machine.record(Event(self._manifest, kind, reason, message))


async def _either(task: "asyncio.Task[Any]", other: Coroutine[Any, Any, object]) -> None:
    """Wait for `task`, which goes on, or for `other`, which does not."""
    waiting = asyncio.create_task(other)
    try:
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
