"""A Job's status: what has been counted, and the conditions that follow. Pure."""

from datetime import datetime, timedelta
from typing import NamedTuple

from proctor_cli.local.job_index import completed, completed_text, index_of
from proctor_cli.local.job_policy import verdict
from proctor_cli.local.objects import (
    condition,
    deleting,
    holds,
    parse_timestamp,
    timestamp,
    with_condition,
    without_zeros,
)
from proctor_operator.cluster import Manifest


class End(NamedTuple):
    """How a Job ends: `Complete` or `Failed`, with reason and message."""

    type: str
    reason: str
    message: str


def counted(job: Manifest, finished: list[Manifest]) -> Manifest:
    """The Job's status with newly `finished` pods added to it."""
    status = dict(job.get("status", {}))
    for pod in finished:
        if pod["status"]["phase"] == "Succeeded":
            status["succeeded"] = status.get("succeeded", 0) + 1
            if (index := index_of(pod)) is not None:
                indexes = completed(status) | {index}
                status["completedIndexes"] = completed_text(indexes)
        elif verdict(job, pod).action != "Ignore":
            status["failed"] = status.get("failed", 0) + 1
    return status


def end(job: Manifest, finished: list[Manifest], pods: list[Manifest], now: datetime) -> End | None:
    """Why the Job is over, if it is. `job` has counted `finished`, of all its `pods`."""
    decided = condition(job, "FailureTarget") or condition(job, "SuccessCriteriaMet")
    if decided is not None:
        kind = "Failed" if decided["type"] == "FailureTarget" else "Complete"
        return End(kind, decided["reason"], decided["message"])
    spec, status = job["spec"], job.get("status", {})
    for pod in finished:
        if pod["status"]["phase"] == "Failed" and verdict(job, pod).action == "FailJob":
            return End("Failed", "PodFailurePolicy", verdict(job, pod).message)
    if status.get("succeeded", 0) >= spec.get("completions", 1):
        return End("Complete", "CompletionsReached", "Reached expected number of succeeded pods")
    if _past_backoff_limit(spec, status, pods):
        message = "Job has reached the specified backoff limit"
        return End("Failed", "BackoffLimitExceeded", message)
    if (left := seconds_left(job, now)) is not None and left <= 0:
        message = "Job was active longer than specified deadline"
        return End("Failed", "DeadlineExceeded", message)
    return None


def seconds_left(job: Manifest, now: datetime) -> float | None:
    """Time until activeDeadlineSeconds have passed, where there is such a limit."""
    limit = job["spec"].get("activeDeadlineSeconds")
    began = job.get("status", {}).get("startTime")
    if limit is None or began is None:
        return None
    return (parse_timestamp(began) + timedelta(seconds=limit) - now).total_seconds()


def job_status(job: Manifest, pods: list[Manifest], over: End | None, now: datetime) -> Manifest:
    """The status to write, `pods` being those not yet counted."""
    leaving = [pod for pod in pods if deleting(pod)]
    active = [pod for pod in pods if not deleting(pod)]
    before = job.get("status", {})
    status = before | {
        "active": len(active),
        "terminating": len(leaving),
        "ready": sum(holds(pod, "Ready") for pod in active),
        "uncountedTerminatedPods": {},
    }
    if "startTime" not in status and not job["spec"].get("suspend"):
        status["startTime"] = timestamp(now)
    conditions = before.get("conditions", [])
    for new in (*_suspension(job), *(_ending(over, gone=not pods) if over else ())):
        stamped = {**new, "lastProbeTime": timestamp(now)}
        if condition(job, new["type"]) is None or not holds_as(job, new):
            conditions = with_condition(conditions, stamped, timestamp(now))
    if conditions:
        status["conditions"] = conditions
    if over and over.type == "Complete" and not pods:
        status["completionTime"] = timestamp(now)
    return without_zeros(status) | {"ready": status["ready"], "terminating": status["terminating"]}


def holds_as(job: Manifest, new: Manifest) -> bool:
    """Whether the Job's condition already says what `new` says."""
    old = condition(job, new["type"]) or {}
    return new.items() <= old.items()


def _past_backoff_limit(spec: Manifest, status: Manifest, pods: list[Manifest]) -> bool:
    limit = spec.get("backoffLimit", 6)
    if status.get("failed", 0) > limit:
        return True
    if spec["template"]["spec"]["restartPolicy"] != "OnFailure":
        return False
    restarts = [
        each["restartCount"]
        for pod in pods
        for each in pod.get("status", {}).get("containerStatuses", [])
    ]
    return bool(restarts) and sum(restarts) >= max(limit, 1)


def _ending(over: End, *, gone: bool) -> list[Manifest]:
    """First the intention; the end itself once no pod is left to end."""
    intended = "FailureTarget" if over.type == "Failed" else "SuccessCriteriaMet"
    types = [intended, over.type] if gone else [intended]
    return [
        {"type": each, "status": "True", "reason": over.reason, "message": over.message}
        for each in types
    ]


def _suspension(job: Manifest) -> list[Manifest]:
    if job["spec"].get("suspend"):
        new = {"status": "True", "reason": "JobSuspended", "message": "Job suspended"}
    elif condition(job, "Suspended"):
        new = {"status": "False", "reason": "JobResumed", "message": "Job resumed"}
    else:
        return []
    return [{"type": "Suspended", **new}]
