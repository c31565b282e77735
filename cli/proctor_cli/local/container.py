"""One container of a pod, through all its restarts: image, configuration, process, end."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx

from proctor_cli.local.backoff import Backoff
from proctor_cli.local.container_files import ContainerFiles
from proctor_cli.local.environments import Environment, Environments, ImageUnavailable
from proctor_cli.local.objects import Clock, timestamp
from proctor_cli.local.ports import PodPorts
from proctor_cli.local.probes import Probe, Surroundings
from proctor_cli.local.process import CommandNotFound, Process
from proctor_cli.local.variables import ConfigError, Lookup, command_line, environment
from proctor_cli.local.volumes import PodVolumes
from proctor_operator.cluster import Manifest

_CREATING = "ContainerCreating"

EventType = Literal["Normal", "Warning"]
Tell = Callable[[EventType, str, str], None]
"""Records an event about the pod: type, reason, message."""


@dataclass(frozen=True, slots=True)
class Surrounding:
    """What a container shares with the others of its pod."""

    pod: Manifest
    ports: PodPorts
    volumes: PodVolumes
    gpus: frozenset[int]
    environments: Environments
    lookup: Lookup
    next_change: Callable[[], Awaitable[None]]
    http: httpx.AsyncClient
    now: Clock
    backoff_seconds: float
    report: Callable[[], None]
    tell: Tell


class Container:
    """Runs the container as often as `restart` says, and knows its status meanwhile."""

    def __init__(
        self, spec: Manifest, restart: str, files: ContainerFiles, around: Surrounding
    ) -> None:
        self.spec = spec
        self.started = asyncio.Event()
        self._restart = restart
        self._files = files
        self._around = around
        first = "PodInitializing" if around.pod["spec"].get("initContainers") else _CREATING
        self._state: Manifest = {"waiting": {"reason": first}}
        self._last_state: Manifest = {}
        self._image_id = ""
        self._ready = False
        self._restarts = 0
        self._backoff = Backoff(around.backoff_seconds)
        self._process: Process | None = None
        self._task: asyncio.Task[int] | None = None
        self._stopping = False
        self._grace = float(around.pod["spec"].get("terminationGracePeriodSeconds", 30))

    def status(self) -> Manifest:
        """The container's entry in the pod's status."""
        ended = self._state.get("terminated")
        return {
            "name": self.spec["name"],
            "image": self.spec["image"],
            "imageID": self._image_id,
            "ready": self._ready,
            "started": self.started.is_set(),
            "restartCount": self._restarts,
            "state": self._state,
            "lastState": self._last_state,
        } | ({"containerID": self._files.container_id} if ended or self._process else {})

    def start(self) -> "asyncio.Task[int]":
        """Begin; the task ends with the last exit code, when there are no more restarts."""
        self._task = asyncio.create_task(self._run(), name=f"container {self.spec['name']}")
        return self._task

    async def stop(self, grace_seconds: float) -> None:
        """SIGTERM, SIGKILL after `grace_seconds`, and no restart."""
        self._stopping = True
        if self._task is None:
            return
        if self._process is not None:
            await self._process.stop(grace_seconds)
        else:
            self._task.cancel()
        await asyncio.wait({self._task})

    def kill(self) -> None:
        """SIGKILL at once."""
        if self._process is not None:
            self._process.kill()

    async def _run(self) -> int:
        while True:
            code = await self._run_once()
            if self._stopping or self._restart == "Never":
                return code
            if self._restart == "OnFailure" and code == 0:
                return code
            await self._back_off()

    async def _run_once(self) -> int:
        self._wait(_CREATING)
        image = await self._pull()
        argv, env, directory = await self._configure(image)
        self._files.begin()
        began = self._around.now()
        try:
            process = await Process.start(argv, env, directory, self._files.log)
        except CommandNotFound as error:
            return self._end(128, "StartError", timestamp(began), str(error))
        self._tell("Normal", "Started", f"Started container {self.spec['name']}")
        self._process = process
        self._set({"running": {"startedAt": timestamp(began)}})
        try:
            code = await self._watched(process, env)
        finally:
            self._process = None
        self._backoff.ran((self._around.now() - began).total_seconds())
        reason = "Error" if code else "Completed"
        message = self._files.termination_message(failed=code != 0)
        return self._end(code, reason, timestamp(began), message)

    async def _pull(self) -> Environment:
        """The image's environment, however long it takes to be had."""
        backoff = Backoff(self._around.backoff_seconds)
        image = self.spec["image"]
        while True:
            try:
                found = await self._around.environments.pull(image)
            except ImageUnavailable as error:
                self._tell("Warning", "Failed", f"Failed to pull image {error}")
                self._wait("ErrImagePull", f"failed to pull image {error}")
                await asyncio.sleep(backoff.next() or self._around.backoff_seconds)
                self._wait("ImagePullBackOff", f"Back-off pulling image {error}")
                await asyncio.sleep(backoff.next())
            else:
                self._image_id = found.image_id
                return found

    async def _configure(self, image: Environment) -> tuple[list[str], dict[str, str], Path]:
        """Command line, environment and working directory, once all that they refer to is there."""
        while True:
            try:
                env = image.variables() | self._own_variables()
                return command_line(self.spec, env), env, self._directory()
            except ConfigError as error:
                self._tell("Warning", "Failed", f"Error: {error}")
                self._wait("CreateContainerConfigError", str(error))
                await self._around.next_change()

    def _own_variables(self) -> dict[str, str]:
        around = self._around
        overrides = {
            **around.ports.variables(),
            **around.volumes.variables(self.spec),
            "TERMINATION_MESSAGE_PATH": str(self._files.termination),
            "BIND_ADDRESS": "127.0.0.1",
            "HOME": str(self._home()),
        }
        declared = environment(self.spec, around.pod, overrides, around.lookup)
        gpus = ",".join(map(str, sorted(around.gpus)))
        return {"HOME": overrides["HOME"], "CUDA_VISIBLE_DEVICES": gpus} | declared

    def _home(self) -> Path:
        """The volume that the manifest puts there, else a directory of the container's own."""
        named = [
            each.get("value", "") for each in self.spec.get("env", []) if each["name"] == "HOME"
        ]
        return (named and self._around.volumes.inside(self.spec, named[0])) or self._files.home

    def _directory(self) -> Path:
        wanted = self.spec.get("workingDir")
        found = self._around.volumes.inside(self.spec, wanted) if wanted else None
        return found or self._files.directory

    async def _watched(self, process: Process, env: dict[str, str]) -> int:
        around = Surroundings(self._around.ports, env, self._files.directory, self._around.http)
        probing = asyncio.create_task(self._probe(process, around))
        try:
            return await process.wait()
        finally:
            probing.cancel()
            await asyncio.wait({probing})

    async def _probe(self, process: Process, around: Surroundings) -> None:
        if "startupProbe" in self.spec:
            await self._until_started(process, Probe.parse(self.spec["startupProbe"], around))
        self.started.set()
        self._set_ready("readinessProbe" not in self.spec)
        async with asyncio.TaskGroup() as group:
            if "readinessProbe" in self.spec:
                probe = Probe.parse(self.spec["readinessProbe"], around)
                group.create_task(probe.watch(lambda: self._set_ready(True), self._unready))
            if "livenessProbe" in self.spec:
                probe = Probe.parse(self.spec["livenessProbe"], around)
                group.create_task(self._kill_when_dead("Liveness", probe, process))

    async def _until_started(self, process: Process, probe: Probe) -> None:
        up = asyncio.Event()
        looking = asyncio.create_task(self._kill_when_dead("Startup", probe, process, up.set))
        waiting = asyncio.create_task(up.wait())
        try:
            await asyncio.wait({looking, waiting}, return_when=asyncio.FIRST_COMPLETED)
            await waiting  # a process that is being killed never comes up: `_watched` ends us
        finally:
            looking.cancel()
            waiting.cancel()

    async def _kill_when_dead(
        self,
        what: str,
        probe: Probe,
        process: Process,
        on_success: Callable[[], Any] = lambda: None,
    ) -> None:
        """Stop the process when the probe has failed often enough; `_run` may start it again."""
        failed: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def fail(complaint: str) -> None:
            if not failed.done():
                failed.set_result(complaint)

        looking = asyncio.create_task(probe.watch(on_success, fail))
        try:
            complaint = await failed
        finally:
            looking.cancel()
        self._tell("Warning", "Unhealthy", f"{what} probe failed: {complaint}")
        name = self.spec["name"]
        self._tell("Normal", "Killing", f"Container {name} failed {what.lower()} probe")
        await process.stop(self._grace)

    async def _back_off(self) -> None:
        self._last_state = self._state
        self._restarts += 1
        delay = self._backoff.next()
        if delay:
            meta = self._around.pod["metadata"]
            name = f"{self.spec['name']} pod={meta['name']}_{meta['namespace']}({meta['uid']})"
            message = f"back-off {delay:g}s restarting failed container={name}"
            self._tell("Warning", "BackOff", message)
            self._wait("CrashLoopBackOff", message)
            await asyncio.sleep(delay)

    def _unready(self, complaint: str) -> None:
        if self._ready:
            self._tell("Warning", "Unhealthy", f"Readiness probe failed: {complaint}")
        self._set_ready(False)

    def _set_ready(self, ready: bool) -> None:
        self._ready = ready
        self._around.report()

    def _wait(self, reason: str, message: str = "") -> None:
        self._set({"waiting": {"reason": reason} | ({"message": message} if message else {})})

    def _end(self, code: int, reason: str, began: str, message: str) -> int:
        self.started.clear()
        self._ready = False
        ended: Manifest = {"exitCode": code, "reason": reason, "startedAt": began}
        ended["finishedAt"] = timestamp(self._around.now())
        if message:
            ended["message"] = message
        self._set({"terminated": ended})
        return code

    def _set(self, state: Manifest) -> None:
        self._state = state
        self._around.report()

    def _tell(self, kind: EventType, reason: str, message: str) -> None:
        self._around.tell(kind, reason, message)
