"""Services: one stable port of 127.0.0.1 for each of a Service's ports, led to its ready pods."""

import asyncio
from collections.abc import Callable

from proctor_cli.local.controller import Queue
from proctor_cli.local.forwarder import Forwarder
from proctor_cli.local.objects import Change, deleting, holds
from proctor_cli.local.ports import LOOPBACK, Ports
from proctor_cli.local.store import Store
from proctor_operator.cluster import Manifest, Ref

PodPort = Callable[[Manifest, str | int], int | None]
"""Where on this machine a pod's port is."""


class ServiceController:
    """The endpoint controller and kube-proxy in one."""

    def __init__(self, store: Store, ports: Ports, pod_port: PodPort) -> None:
        self._store = store
        self._ports = ports
        self._pod_port = pod_port
        self._forwarders: dict[tuple[str, str, int], Forwarder] = {}
        self.queue = Queue(self._sync)

    def on_change(self, change: Change) -> None:
        """Look at a Service when it changes, at all of the namespace when a pod does."""
        if change.object["kind"] == "Service":
            self.queue.add(change.ref)
        elif change.object["kind"] == "Pod":
            for service in self._store.find("v1", "Service", change.ref.namespace):
                self.queue.add(Ref.of(service))

    def url(self, namespace: str, name: str, port: int) -> str:
        """Where the Service's port is or, if there is no such Service yet, will be."""
        return f"http://{LOOPBACK}:{self._forwarder(namespace, name, port).port}"

    async def close(self) -> None:
        """End every connection."""
        await asyncio.gather(*(each.close() for each in self._forwarders.values()))

    def _forwarder(self, namespace: str, name: str, port: int) -> Forwarder:
        key = (namespace, name, port)
        if key not in self._forwarders:
            self._forwarders[key] = Forwarder(self._ports.take())
        return self._forwarders[key]

    def _sync(self, ref: Ref) -> None:
        service = self._store.get(ref)
        ports = service["spec"]["ports"] if service else []
        targets = {port["port"]: self._targets(service, port) for port in ports if service}
        for port in targets:
            self._forwarder(ref.namespace, ref.name, port)
        for (namespace, name, port), forwarder in self._forwarders.items():
            if (namespace, name) == (ref.namespace, ref.name):
                forwarder.aim(targets.get(port, []))

    def _targets(self, service: Manifest, port: Manifest) -> list[int]:
        selector = service["spec"].get("selector")
        if not selector:
            return []
        pods = self._store.find("v1", "Pod", service["metadata"]["namespace"], selector)
        wanted: str | int = port.get("targetPort") or port["port"]
        found = [
            self._pod_port(pod, wanted) for pod in pods if holds(pod, "Ready") and not deleting(pod)
        ]
        return [each for each in found if each is not None]
