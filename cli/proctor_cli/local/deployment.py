"""The Deployment controller. Pods belong to the Deployment itself: there are no ReplicaSets."""

from proctor_cli.local.controller import Queue
from proctor_cli.local.deployment_status import deployment_status
from proctor_cli.local.objects import (
    Change,
    Clock,
    controller_ref,
    deleting,
    holds,
    owned,
    random_suffix,
)
from proctor_cli.local.rollout import HASH, bounds, split, template_hash
from proctor_cli.local.store import Store
from proctor_operator.cluster import Manifest, Ref


class DeploymentController:
    """Keeps as many pods of the current template as asked for, replacing others as told."""

    def __init__(self, store: Store, now: Clock) -> None:
        self._store = store
        self._now = now
        self.queue = Queue(self._sync)

    def on_change(self, change: Change) -> None:
        """Look at a Deployment when it or one of its pods changes."""
        if change.object["kind"] == "Deployment":
            self.queue.add(change.ref)
        for owner in change.object["metadata"].get("ownerReferences", []):
            if owner["kind"] == "Deployment":
                namespace = change.object["metadata"]["namespace"]
                self.queue.add(Ref(owner["apiVersion"], "Deployment", namespace, owner["name"]))

    def _sync(self, ref: Ref) -> float | None:
        deployment = self._store.get(ref)
        if deployment is None:
            return None
        self._scale(deployment, _living(self._pods(deployment)))
        status, again = deployment_status(deployment, _living(self._pods(deployment)), self._now())
        self._store.set_status(ref, status)
        return again

    def _pods(self, deployment: Manifest) -> list[Manifest]:
        return owned(self._store.find("v1", "Pod", deployment["metadata"]["namespace"]), deployment)

    def _scale(self, deployment: Manifest, pods: list[Manifest]) -> None:
        wanted = deployment["spec"].get("replicas", 1)
        new, old = split(deployment, pods)
        surge, unavailable = bounds(deployment["spec"], wanted)
        if deployment["spec"].get("strategy", {}).get("type") == "Recreate":
            self._delete(old)
            # A pod on its way out still has its GPUs and files.
            room = 0 if old or self._leaving(deployment) else wanted - len(new)
        else:
            room = min(wanted - len(new), wanted + surge - len(pods))
            self._delete(_spare(old, new, wanted - unavailable))
        for _ in range(room):
            self._store.create(_pod(deployment))
        self._delete(sorted(new, key=lambda pod: holds(pod, "Ready"))[: max(len(new) - wanted, 0)])

    def _leaving(self, deployment: Manifest) -> bool:
        """Whether a pod of an older template is still ending."""
        gone = [pod for pod in self._pods(deployment) if deleting(pod)]
        return bool(split(deployment, gone)[1])

    def _delete(self, pods: list[Manifest]) -> None:
        for pod in pods:
            self._store.delete(Ref.of(pod))


def _living(pods: list[Manifest]) -> list[Manifest]:
    finished = ("Succeeded", "Failed")
    return [
        pod
        for pod in pods
        if not deleting(pod) and pod.get("status", {}).get("phase") not in finished
    ]


def _spare(old: list[Manifest], new: list[Manifest], least_ready: int) -> list[Manifest]:
    """Old pods that can go while `least_ready` stay: those not ready, then as many as may."""
    unready = [pod for pod in old if not holds(pod, "Ready")]
    ready = [pod for pod in old if holds(pod, "Ready")]
    excess = len(ready) + sum(holds(pod, "Ready") for pod in new) - least_ready
    return unready + ready[: max(excess, 0)]


def _pod(deployment: Manifest) -> Manifest:
    meta, template = deployment["metadata"], deployment["spec"]["template"]
    revision = template_hash(deployment)
    own = template.get("metadata", {})
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{meta['name']}-{revision}-{random_suffix()}",
            "namespace": meta["namespace"],
            "labels": {**own.get("labels", {}), HASH: revision},
            "annotations": own.get("annotations", {}),
            "ownerReferences": [controller_ref(deployment)],
        },
        "spec": template["spec"],
    }
