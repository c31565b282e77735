"""What takes a pod away from its node, done as a cluster does it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from tests.kube import LONG_SECONDS, Kubectl, Manifest, eventually

RUN_LABEL = "proctor.dev/run"
SLOT = "proctor.test/slot"
"""An extended resource of which the node has one: who holds it leaves room for nobody else."""
URGENT = "proctor-test-urgent"


def pods_of(kubectl: Kubectl, run: str) -> list[Manifest]:
    """The run's pods that have not ended."""
    pods = kubectl.list("pods", f"{RUN_LABEL}={run}")
    return [pod for pod in pods if pod["status"].get("phase") not in ("Succeeded", "Failed")]


def evict(kubectl: Kubectl, run: str) -> None:
    """Through the eviction API, as the autoscaler and the descheduler do."""
    (pod,) = pods_of(kubectl, run)
    name = pod["metadata"]["name"]
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": name, "namespace": kubectl.namespace},
    }
    path = f"/api/v1/namespaces/{kubectl.namespace}/pods/{name}/eviction"
    kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction))


def drain(kubectl: Kubectl, run: str) -> None:
    """`kubectl drain`, of the run's pods alone; the node takes pods again afterwards."""
    name = node(kubectl)
    try:
        only = f"--pod-selector={RUN_LABEL}={run}"
        kubectl("drain", name, only, "--delete-emptydir-data", "--timeout=280s")
    finally:
        kubectl("uncordon", name)


def disrupted(kubectl: Kubectl, run: str, cause: str, pods: int = 1) -> None:
    """Wait until the run has told of so many pods that they were taken away by `cause`.

    By its events, which stay: the condition says so only until the Job makes its next pod.
    """
    told = partial(told_of, kubectl, run, cause)
    eventually(lambda: len(told()) >= pods, LONG_SECONDS)


def told_of(kubectl: Kubectl, run: str, cause: str) -> set[str]:
    """What the run's events say of pods that `cause` took away; each names its pod."""
    selector = f"involvedObject.kind=EvaluationRun,involvedObject.name={run},reason=Disrupted"
    found = kubectl("get", "events", "--field-selector", selector, "-o", "json")
    messages = {each["message"] for each in json.loads(found)["items"]}
    return {m for m in messages if m.startswith("Running=False: pod ") and cause in m}


@contextmanager
def one_slot(kubectl: Kubectl) -> Iterator[None]:
    """The node has one slot; given up, it has none."""
    path = SLOT.replace("/", "~1")
    fields = [f"/status/{field}/{path}" for field in ("capacity", "allocatable")]
    change(kubectl, [{"op": "add", "path": field, "value": "1"} for field in fields])
    try:
        yield
    finally:
        change(kubectl, [{"op": "remove", "path": field} for field in fields])


def change(kubectl: Kubectl, patch: list[Manifest]) -> None:
    """Patch the node's status, where an extended resource is declared."""
    kubectl(
        "patch", "node", node(kubectl), "--subresource=status", "--type=json",
        "-p", json.dumps(patch),
    )  # fmt: skip


@contextmanager
def preempted(kubectl: Kubectl) -> Iterator[None]:
    """A pod of higher priority takes the slot, and gives it back."""
    kubectl.apply(
        {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": URGENT},
            "value": 1000,
        },
        urgent_pod(),
    )
    try:
        kubectl("wait", "--for=condition=Ready", "pod/urgent", "--timeout=280s")
        yield
    finally:
        kubectl("delete", "pod/urgent", f"priorityclass/{URGENT}", "--grace-period=1")


def urgent_pod() -> Manifest:
    """It wants the slot and does nothing with it."""
    container = {
        "name": "urgent",
        "image": "proctor/operator:0.1.0",
        "command": ["python", "-c", "import time; time.sleep(600)"],
        "resources": {"limits": {SLOT: "1"}},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "urgent"},
        "spec": {
            "priorityClassName": URGENT,
            "automountServiceAccountToken": False,
            "containers": [container],
        },
    }


def node(kubectl: Kubectl) -> str:
    """The one node's name."""
    (found,) = kubectl.list("nodes")
    return str(found["metadata"]["name"])
