"""All probes of one run of a container."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from proctor_cli.local.probes import Probe, Surroundings
from proctor_cli.local.process import Process
from proctor_operator.cluster import Manifest


class Listener(Protocol):
    """Who wants to know."""

    def on_started(self) -> None:
        """The startup probe has succeeded, or there is none."""

    def on_ready(self, *, ready: bool) -> None:
        """What the readiness probe found."""

    def on_unhealthy(self, what: str, complaint: str) -> None:
        """A probe has given its verdict."""


class Probing:
    """First the startup probe; after its success readiness and liveness."""

    def __init__(
        self,
        container: Manifest,
        process: Process,
        grace_seconds: float,
        around: Surroundings,
        listener: Listener,
    ) -> None:
        self._process = process
        self._grace = grace_seconds
        self._listener = listener
        self._probes = {
            name: Probe.parse(container[name], around)
            for name in ("startupProbe", "readinessProbe", "livenessProbe")
            if name in container
        }

    async def run(self) -> None:
        """Probe until cancelled, which is to happen when the process ends."""
        if probe := self._probes.get("startupProbe"):
            await self._until_started(probe)
        self._listener.on_started()
        async with asyncio.TaskGroup() as group:
            if probe := self._probes.get("readinessProbe"):
                group.create_task(self._tell_readiness(probe))
            if probe := self._probes.get("livenessProbe"):
                group.create_task(self._stop_when_dead("Liveness", probe))

    async def _tell_readiness(self, probe: Probe) -> None:
        def unready(complaint: str) -> None:
            self._listener.on_unhealthy("Readiness", complaint)
            self._listener.on_ready(ready=False)

        await probe.watch(lambda: self._listener.on_ready(ready=True), unready)

    async def _until_started(self, probe: Probe) -> None:
        """Wait for success. A process that is stopped instead has no more to come."""
        up = asyncio.Event()
        looking = asyncio.create_task(self._stop_when_dead("Startup", probe, up.set))
        try:
            await up.wait()
        finally:
            looking.cancel()

    async def _stop_when_dead(
        self, what: str, probe: Probe, on_success: Callable[[], None] = lambda: None
    ) -> None:
        """Stop the process when the probe has failed often enough; it may be started again."""
        failed: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def fail(complaint: str) -> None:
            if not failed.done():
                failed.set_result(complaint)

        looking = asyncio.create_task(probe.watch(on_success, fail))
        try:
            complaint = await failed
        finally:
            looking.cancel()
            await asyncio.wait({looking})
        self._listener.on_unhealthy(what, complaint)
        await self._process.stop(self._grace)
