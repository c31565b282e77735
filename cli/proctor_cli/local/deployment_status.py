"""A Deployment's status from its pods. Pure."""

from datetime import datetime, timedelta

from proctor_cli.local.objects import (
    condition,
    holds,
    parse_timestamp,
    timestamp,
    with_condition,
    without_zeros,
)
from proctor_cli.local.rollout import bounds, split
from proctor_operator.cluster import Manifest


def deployment_status(
    deployment: Manifest, pods: list[Manifest], now: datetime
) -> tuple[Manifest, float | None]:
    """The status to write, and in how many seconds it may change without any pod's doing so."""
    spec = deployment["spec"]
    wanted = spec.get("replicas", 1)
    updated, _ = split(deployment, pods)
    ready = sum(holds(pod, "Ready") for pod in pods)
    counts = {
        "observedGeneration": deployment["metadata"]["generation"],
        "replicas": len(pods),
        "updatedReplicas": len(updated),
        "readyReplicas": ready,
        "availableReplicas": ready,
        "unavailableReplicas": max(wanted - ready, 0),
    }
    done = ready >= wanted and len(updated) == len(pods) == wanted
    before = deployment.get("status", {})
    moved = _counts(before) != _counts(counts)
    progressing, again = _progressing(deployment, now, done=done, moved=moved)
    conditions = before.get("conditions", [])
    least = wanted - bounds(spec, wanted)[1]
    for new in (_available(enough=ready >= least), progressing):
        conditions = with_condition(conditions, _dated(new, conditions, now), timestamp(now))
    return without_zeros(counts) | {"conditions": conditions}, again


def _counts(status: Manifest) -> Manifest:
    fields = ("observedGeneration", "replicas", "updatedReplicas", "readyReplicas")
    return {field: status.get(field, 0) for field in fields}


def _available(*, enough: bool) -> Manifest:
    if enough:
        reason, message = "MinimumReplicasAvailable", "Deployment has minimum availability."
    else:
        reason = "MinimumReplicasUnavailable"
        message = "Deployment does not have minimum availability."
    return {"type": "Available", "status": str(enough), "reason": reason, "message": message}


def _progressing(
    deployment: Manifest, now: datetime, *, done: bool, moved: bool
) -> tuple[Manifest, float | None]:
    """The condition, and the seconds that are left to make progress in."""
    name = deployment["metadata"]["name"]
    if done:
        message = f'Deployment "{name}" has successfully progressed.'
        return _progress("True", "NewReplicaSetAvailable", message), None
    limit = timedelta(seconds=deployment["spec"].get("progressDeadlineSeconds", 600))
    last = condition(deployment, "Progressing")
    since = now if last is None or moved else parse_timestamp(last["lastUpdateTime"])
    left = (since + limit - now).total_seconds()
    updated = {"lastUpdateTime": timestamp(since)}
    if left > 0:
        message = f'Deployment "{name}" is progressing.'
        return _progress("True", "ReplicaSetUpdated", message) | updated, left
    message = f'Deployment "{name}" has timed out progressing.'
    return _progress("False", "ProgressDeadlineExceeded", message) | updated, None


def _progress(status: str, reason: str, message: str) -> Manifest:
    return {"type": "Progressing", "status": status, "reason": reason, "message": message}


def _dated(new: Manifest, conditions: list[Manifest], now: datetime) -> Manifest:
    """`new` with the time of its last change of any kind."""
    old = next((each for each in conditions if each["type"] == new["type"]), {})
    same = new.items() <= old.items()
    return {"lastUpdateTime": old["lastUpdateTime"] if same else timestamp(now), **new}
