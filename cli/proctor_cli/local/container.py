"""One container of a pod, through all its restarts: image, configuration, process, end."""

import asyncio

from proctor_cli.local.backoff import Backoff
from proctor_cli.local.container_files import ContainerFiles
from proctor_cli.local.environments import Environment, ImageUnavailable
from proctor_cli.local.launch import Launch, Surrounding, launch
from proctor_cli.local.objects import timestamp
from proctor_cli.local.probes import Surroundings
from proctor_cli.local.probing import Probing
from proctor_cli.local.process import CommandNotFound, Process
from proctor_cli.local.variables import ConfigError
from proctor_operator.cluster import Manifest

_CREATING = "ContainerCreating"


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
        """SIGKILL at once, and no restart."""
        self._stopping = True
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
        wanted = await self._configure(image)
        self._files.begin()
        began = self._around.now()
        try:
            process = await Process.start(
                wanted.argv, wanted.env, wanted.directory, self._files.log
            )
        except CommandNotFound as error:
            return self._end(128, "StartError", timestamp(began), str(error))
        self._around.tell("Normal", "Started", f"Started container {self.spec['name']}")
        self._process = process
        self._set({"running": {"startedAt": timestamp(began)}})
        try:
            code = await self._watched(process, wanted.env)
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
                self._around.tell("Warning", "Failed", f"Failed to pull image {error}")
                self._wait("ErrImagePull", f"failed to pull image {error}")
                await asyncio.sleep(backoff.next() or self._around.backoff_seconds)
                self._wait("ImagePullBackOff", f"Back-off pulling image {error}")
                await asyncio.sleep(backoff.next())
            else:
                self._image_id = found.image_id
                return found

    async def _configure(self, image: Environment) -> Launch:
        """What to run and where, once all that the manifest refers to is there."""
        told = ""
        while True:
            try:
                return launch(self.spec, self._files, image, self._around)
            except ConfigError as error:
                if str(error) != told:  # an event is a change too: telling again would wake others
                    told = str(error)
                    self._around.tell("Warning", "Failed", f"Error: {error}")
                    self._wait("CreateContainerConfigError", str(error))
            await self._around.next_change()

    async def _watched(self, process: Process, env: dict[str, str]) -> int:
        around = self._around
        surroundings = Surroundings(around.ports, env, self._files.directory, around.http)
        probing = Probing(self.spec, process, self._grace, surroundings, self)
        task = asyncio.create_task(probing.run())
        try:
            return await process.wait()
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def _back_off(self) -> None:
        self._last_state = self._state
        self._restarts += 1
        delay = self._backoff.next()
        if delay:
            meta = self._around.pod["metadata"]
            name = f"{self.spec['name']} pod={meta['name']}_{meta['namespace']}({meta['uid']})"
            message = f"back-off {delay:g}s restarting failed container={name}"
            self._around.tell("Warning", "BackOff", message)
            self._wait("CrashLoopBackOff", message)
            await asyncio.sleep(delay)

    def on_started(self) -> None:
        """The startup probe has succeeded, or there is none."""
        self.started.set()
        self.on_ready(ready="readinessProbe" not in self.spec)

    def on_ready(self, *, ready: bool) -> None:
        """What the readiness probe found."""
        self._ready = ready
        self._around.report()

    def on_unhealthy(self, what: str, complaint: str) -> None:
        """A probe has given its verdict."""
        self._around.tell("Warning", "Unhealthy", f"{what} probe failed: {complaint}")

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
