"""All controllers of a local cluster, told of every change."""

from typing import TYPE_CHECKING

from proctor_cli.local.deployment import DeploymentController
from proctor_cli.local.garbage import GarbageCollector
from proctor_cli.local.job import JobController
from proctor_cli.local.objects import Change
from proctor_cli.local.service import PodPort, ServiceController

if TYPE_CHECKING:
    from proctor_cli.local.kubelet import Machine


class Controllers:
    """What kube-controller-manager and kube-proxy are to a real cluster."""

    def __init__(self, machine: "Machine", pod_port: PodPort) -> None:
        self.services = ServiceController(machine.store, machine.ports, pod_port)
        self._all = (
            DeploymentController(machine.store, machine.now),
            JobController(machine.store, machine.now, machine.backoff_seconds),
            GarbageCollector(machine.store),
            self.services,
        )

    def on_change(self, change: Change) -> None:
        """Let each look at what concerns it."""
        for each in self._all:
            each.on_change(change)

    def stop(self) -> None:
        """Reconcile nothing more."""
        for each in self._all:
            each.queue.close()
