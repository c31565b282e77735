"""A pod's status from its containers' statuses, as the kubelet derives it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from proctor_cli.local.node import restarts_always
from proctor_cli.local.objects import with_condition
from proctor_operator.cluster import Manifest


@dataclass(frozen=True, slots=True)
class Observed:
    """What the kubelet knows of a pod."""

    spec: Manifest
    init: Sequence[Manifest]
    """Statuses of `spec.initContainers`, in order."""
    main: Sequence[Manifest]
    """Statuses of `spec.containers`, in order."""
    unschedulable: str | None = None
    failure: tuple[str, str] | None = None
    """Reason and message, where the pod as a whole was made to fail."""
    started: str | None = None
    """When the kubelet took the pod."""
    ended: bool = False
    """No container will be started again, whatever the restart policy: the pod is being deleted."""


def pod_status(pod: Observed, before: Manifest, now: str) -> Manifest:
    """The status to write, given the status `before`."""
    status: Manifest = {"phase": phase(pod), "conditions": _conditions(pod, before, now)}
    status["qosClass"] = "BestEffort"
    if pod.failure is not None:
        status["reason"], status["message"] = pod.failure
    if pod.started is not None:
        address = "127.0.0.1"
        status |= {"hostIP": address, "podIP": address, "podIPs": [{"ip": address}]}
        status["startTime"] = pod.started
        status["containerStatuses"] = list(pod.main)
        if pod.init:
            status["initContainerStatuses"] = [
                {**each, "ready": each["ready"] or _succeeded(each)} for each in pod.init
            ]
    return status


def phase(pod: Observed) -> str:
    """Pending, Running, Succeeded or Failed."""
    policy = pod.spec.get("restartPolicy", "Always")
    if pod.failure is not None or (policy == "Never" and any(map(_failed, _regular(pod)))):
        return "Failed"
    if pod.ended:
        return "Succeeded" if pod.main and all(map(_succeeded, pod.main)) else "Failed"
    if not pod.main or not initialized(pod) or any(_never_started(each) for each in pod.main):
        return "Pending"
    ended = [each for each in pod.main if "terminated" in each["state"]]
    if len(ended) < len(pod.main) or policy == "Always" or _sidecar_runs(pod):
        return "Running"
    if not any(map(_failed, ended)):
        return "Succeeded"
    return "Failed" if policy == "Never" else "Running"


def initialized(pod: Observed) -> bool:
    """Whether init containers are done and sidecars have started, or it no longer matters."""
    sidecars = _sidecars(pod)
    main_ran = any("running" in each["state"] or _ran(each) for each in pod.main)
    return all(map(_succeeded, _regular(pod))) and (
        main_ran or all(each["started"] for each in sidecars)
    )


def _conditions(pod: Observed, before: Manifest, now: str) -> list[Manifest]:
    # A condition that somebody else put there, as DisruptionTarget, stays.
    conditions = list(before.get("conditions", []))
    for new in (_scheduled(pod), *(_progress(pod) if pod.started else ())):
        conditions = with_condition(conditions, {"lastProbeTime": None, **new}, now)
    return conditions


def _scheduled(pod: Observed) -> Manifest:
    if pod.unschedulable is None:
        return {"type": "PodScheduled", "status": "True"}
    return {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": f"0/1 nodes are available: {pod.unschedulable}.",
    }


def _progress(pod: Observed) -> list[Manifest]:
    unready = [each["name"] for each in [*_sidecars(pod), *pod.main] if not each["ready"]]
    return [
        {"type": "PodReadyToStartContainers", "status": "True"},
        _initialized_condition(pod),
        _readiness("ContainersReady", pod, unready),
        _readiness("Ready", pod, unready),
    ]


def _initialized_condition(pod: Observed) -> Manifest:
    if initialized(pod):
        ended = {"reason": "PodCompleted"} if phase(pod) == "Succeeded" else {}
        return {"type": "Initialized", "status": "True", **ended}
    incomplete = [each["name"] for each in pod.init if not _init_done(each)]
    return {
        "type": "Initialized",
        "status": "False",
        "reason": "ContainersNotInitialized",
        "message": f"containers with incomplete status: [{' '.join(incomplete)}]",
    }


def _readiness(kind: str, pod: Observed, unready: list[str]) -> Manifest:
    match phase(pod):
        case "Succeeded":
            return {"type": kind, "status": "False", "reason": "PodCompleted"}
        case "Failed":
            return {"type": kind, "status": "False", "reason": "PodFailed"}
    if not unready and initialized(pod):
        return {"type": kind, "status": "True"}
    return {
        "type": kind,
        "status": "False",
        "reason": "ContainersNotReady",
        "message": f"containers with unready status: [{' '.join(unready)}]",
    }


def _regular(pod: Observed) -> list[Manifest]:
    return [each for each in pod.init if each["name"] not in _sidecar_names(pod)]


def _sidecars(pod: Observed) -> list[Manifest]:
    return [each for each in pod.init if each["name"] in _sidecar_names(pod)]


def _sidecar_names(pod: Observed) -> set[str]:
    return {each["name"] for each in pod.spec.get("initContainers", []) if restarts_always(each)}


def _sidecar_runs(pod: Observed) -> bool:
    return any("running" in each["state"] for each in _sidecars(pod))


def _init_done(status: Manifest) -> bool:
    return _succeeded(status) or bool(status["started"])


def _succeeded(status: Manifest) -> bool:
    return "terminated" in status["state"] and status["state"]["terminated"]["exitCode"] == 0


def _failed(status: Manifest) -> bool:
    return "terminated" in status["state"] and status["state"]["terminated"]["exitCode"] != 0


def _ran(status: Manifest) -> bool:
    return "terminated" in status["state"] or "terminated" in status["lastState"]


def _never_started(status: Manifest) -> bool:
    return "waiting" in status["state"] and not _ran(status)
