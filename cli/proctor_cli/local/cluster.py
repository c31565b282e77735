"""`LocalCluster`: the `Cluster` of the operator's seam, with processes for pods."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from proctor_cli.local.controllers import Controllers
from proctor_cli.local.environments import Environments, default_cache
from proctor_cli.local.event_log import EventLog
from proctor_cli.local.kubelet import Kubelet, Machine
from proctor_cli.local.node import Node
from proctor_cli.local.objects import Clock, timestamp, utc_now, with_condition
from proctor_cli.local.ports import LOOPBACK, Ports
from proctor_cli.local.store import Store, Watcher
from proctor_cli.local.volumes import Claims
from proctor_operator.answer import PLAIN, json_object
from proctor_operator.cluster import Event, Manifest, Ref

_GET_TIMEOUT_SECONDS = 5.0


class LocalCluster:
    """A Kubernetes of one machine and one process. Use it as an asynchronous context manager.

    `state_dir` receives volumes, logs and what pods write. `volumes` gives claims that are
    directories of the user's, `images` interpreters that stand for images. `gpus` overrules
    nvidia-smi. `backoff_seconds` is the first delay between restarts, 10 s in Kubernetes.
    `grace_seconds` bounds what a pod may ask for when the cluster is closed.
    """

    def __init__(  # noqa: PLR0913  settings, each by its name
        self,
        state_dir: Path,
        *,
        volumes: Mapping[str, Path] | None = None,
        images: Mapping[str, Path] | None = None,
        cache: Path | None = None,
        progress: Callable[[str], None] = lambda _: None,
        gpus: int | None = None,
        backoff_seconds: float = 10,
        grace_seconds: float | None = None,
        now: Clock = utc_now,
    ) -> None:
        state_dir = state_dir.absolute()
        given = {name: path.absolute() for name, path in (volumes or {}).items()}
        self._now = now
        self._grace_seconds = grace_seconds
        self._store = Store(now)
        self._events = EventLog(self._store, now)
        self._machine = Machine(
            store=self._store,
            node=Node(gpus),
            claims=Claims(self._store, state_dir / "volumes", given),
            ports=Ports(),
            environments=Environments(images or {}, cache or default_cache(), progress),
            http=_client(),
            state_dir=state_dir,
            now=now,
            backoff_seconds=backoff_seconds,
            record=self._events.record,
        )
        self._kubelet = Kubelet(self._machine)
        self._controllers = Controllers(self._machine, self._kubelet.port)

    async def __aenter__(self) -> Self:
        await self._machine.node.discover()
        self._store.watch(self._machine.claims.on_change)
        self._store.watch(self._kubelet.on_change)
        self._store.watch(self._controllers.on_change)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._controllers.stop()
        try:
            await self._kubelet.close(self._grace_seconds)
        finally:
            await self._controllers.services.close()
            self._machine.ports.close()
            await self._machine.http.aclose()

    async def get(self, ref: Ref) -> Manifest | None:
        """The object, or None where there is none."""
        return self._store.get(ref)

    async def list(
        self, api_version: str, kind: str, namespace: str, labels: Mapping[str, str]
    ) -> list[Manifest]:
        """Objects of one kind that carry all `labels`."""
        return self._store.find(api_version, kind, namespace, labels)

    async def apply(self, manifest: Manifest) -> Manifest:
        """Server-side apply of all but the status; raises `ClusterError`."""
        return self._store.apply(manifest)

    async def apply_status(self, manifest: Manifest) -> Manifest:
        """Server-side apply of the status alone; raises `ClusterError`."""
        return self._store.apply_status(manifest)

    async def delete(self, ref: Ref) -> None:
        """Delete the object and, in the background, all that depends on it."""
        self._store.delete(ref)

    async def emit(self, event: Event) -> None:
        """Record an event, as an Event object that watchers see too."""
        self._events.record(event)

    async def get_json(self, pod: Manifest, port: str, path: str) -> Manifest | None:
        """See `Cluster.get_json`."""
        number = self._kubelet.port(pod, port)
        if number is None:
            return None
        url = f"http://{LOOPBACK}:{number}{path}"
        try:
            async with self._machine.http.stream("GET", url) as response:
                answered = response.status_code == httpx.codes.OK
                return await json_object(response.aiter_raw()) if answered else None
        except httpx.HTTPError:
            return None

    def service_url(self, namespace: str, name: str, port: int) -> str:
        """Where the Service's port is; it stays the same while the cluster lives."""
        return self._controllers.services.url(namespace, name, port)

    def everything(self) -> Sequence[Manifest]:
        """All objects there are, with which a watch begins."""
        return self._store.everything()

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Call `watcher` with each `Change` of any object; the function returned ends that."""
        return self._store.watch(watcher)

    def logs(self, pod: Manifest, container: str | None = None) -> str:
        """All that a container has written, over all its restarts; the pod's first by default."""
        path = self.log_path(pod, container)
        return path.read_text(errors="replace") if path.exists() else ""

    def log_path(self, pod: Manifest, container: str | None = None) -> Path:
        """The file in which `logs` are kept; it outlives the pod."""
        return self._machine.log(pod, container or pod["spec"]["containers"][0]["name"])

    async def evict(self, ref: Ref) -> None:
        """Delete a pod as a drained node does: it is marked as disrupted, not as failed."""
        pod = self._store.get(ref)
        if pod is None:
            return
        status = pod.get("status", {})
        disrupted = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "EvictionByEvictionAPI",
            "message": "Eviction API: evicting",
        }
        now = timestamp(self._now())
        conditions = with_condition(status.get("conditions", []), disrupted, now)
        self._store.set_status(ref, {**status, "conditions": conditions})
        self._store.delete(ref)


def _client() -> httpx.AsyncClient:
    """For pods alone: past any proxy and, as the kubelet's probes, blind to certificates."""
    return httpx.AsyncClient(
        trust_env=False,
        verify=False,  # noqa: S501
        timeout=_GET_TIMEOUT_SECONDS,
        headers=PLAIN,
    )
