"""Conditions: made, merged with those of before, and compared for what to announce."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from proctor_crds.reasons import ConditionType, Reason
from proctor_operator.cluster import Event, Manifest

Truth = Literal["True", "False", "Unknown"]
TRUE: Truth = "True"
FALSE: Truth = "False"
UNKNOWN: Truth = "Unknown"
MESSAGE_LIMIT = 32768
"""Of metav1.Condition; a longer message would make the apiserver refuse the whole status."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition as judged, before it is given its transition time."""

    type: ConditionType
    status: Truth
    reason: Reason
    message: str


def timestamp(now: datetime) -> str:
    """RFC 3339 in UTC to the second, as the apiserver writes it."""
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def merged(
    judged: Sequence[Condition], before: Sequence[Manifest], generation: int, now: datetime
) -> list[Manifest]:
    """The conditions to store: a condition keeps its transition time while its status stays."""
    earlier = {condition["type"]: condition for condition in before}
    return [stored(condition, earlier.get(condition.type), generation, now) for condition in judged]


def stored(
    condition: Condition, earlier: Manifest | None, generation: int, now: datetime
) -> Manifest:
    """One condition as metav1.Condition."""
    unchanged = earlier is not None and earlier["status"] == condition.status
    since = earlier["lastTransitionTime"] if earlier and unchanged else timestamp(now)
    return {
        "type": str(condition.type),
        "status": condition.status,
        "reason": str(condition.reason),
        "message": condition.message[:MESSAGE_LIMIT],
        "lastTransitionTime": since,
        "observedGeneration": generation,
    }


def transitions(
    regarding: Manifest, before: Sequence[Manifest], after: Sequence[Manifest]
) -> Iterator[Event]:
    """An event for each condition whose status or reason changed to something worth telling."""
    earlier = {c["type"]: (c["status"], c["reason"]) for c in before}
    for condition in after:
        if earlier.get(condition["type"]) != (condition["status"], condition["reason"]):
            words = f"{condition['type']}={condition['status']}: {condition['message']}"
            yield Event(regarding, severity(condition), condition["reason"], words)


def severity(condition: Manifest) -> Literal["Normal", "Warning"]:
    """A person should look when something is refused, fails or is lost."""
    return "Warning" if condition["reason"] in ALARMING else "Normal"


ALARMING = {
    Reason.SPEC_INVALID,
    Reason.CHILD_REJECTED,
    Reason.UNSCHEDULABLE,
    Reason.IMAGE_PULL_FAILED,
    Reason.CONTAINER_CONFIG_INVALID,
    Reason.CHECKPOINT_NOT_FOUND,
    Reason.CHECKPOINT_CORRUPT,
    Reason.CHECKPOINT_UNSUPPORTED,
    Reason.TOKENIZER_NOT_FOUND,
    Reason.CHAT_TEMPLATE_INVALID,
    Reason.SOURCE_DENIED,
    Reason.SOURCE_UNREACHABLE,
    Reason.VOLUME_FULL,
    Reason.PARALLELISM_INVALID,
    Reason.KV_CACHE_TOO_SMALL,
    Reason.RUNTIME_CRASHED,
    Reason.DEPLOYMENT_NOT_FOUND,
    Reason.EVALUATION_FAILED,
    Reason.UNKNOWN_TASK,
    Reason.PARAMETER_INVALID,
    Reason.PREFLIGHT_FAILED,
    Reason.TARGET_REFUSED,
    Reason.INTERCEPTOR_FAILED,
    Reason.TARGET_UNREACHABLE,
    Reason.HARNESS_FAILED,
    Reason.UNSCORED,
    Reason.OUT_OF_BOUNDS,
    Reason.METRIC_NOT_FOUND,
    Reason.METRIC_AMBIGUOUS,
}


def accepted(problem: str | None = None, reason: Reason = Reason.SPEC_INVALID) -> Condition:
    """Whether the spec can be acted on."""
    if problem:
        return Condition(ConditionType.ACCEPTED, FALSE, reason, problem)
    return Condition(ConditionType.ACCEPTED, TRUE, Reason.SPEC_VALID, "The spec is valid")


def find(conditions: Sequence[Manifest], kind: ConditionType) -> Manifest | None:
    """The condition of that type."""
    return next((c for c in conditions if c["type"] == kind), None)
