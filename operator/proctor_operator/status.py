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
    return "Normal" if condition["reason"] in QUIET else "Warning"


QUIET = {
    Reason.SPEC_VALID,
    Reason.STARTING,
    Reason.ROLLING_OUT,
    Reason.ALL_REPLICAS_READY,
    Reason.SOME_REPLICAS_READY,
    Reason.SCALED_TO_ZERO,
    Reason.TARGET_ANSWERS,
    Reason.DEPLOYMENT_NOT_READY,
    Reason.WAITING_FOR_TARGET,
    Reason.WAITING_FOR_POD,
    Reason.WAITING_FOR_QUOTA,
    Reason.SUSPENDED,
    Reason.JOBS_RUNNING,
    Reason.FINISHED,
    Reason.ALL_SCORED,
    Reason.NOT_FINISHED,
    Reason.ASKING,
    Reason.WITHIN_BOUNDS,
    Reason.INCONCLUSIVE,
}
"""Of what is well or under way; every other reason is for a person."""


def accepted(problem: str | None = None, reason: Reason = Reason.SPEC_INVALID) -> Condition:
    """Whether the spec can be acted on."""
    if problem:
        return Condition(ConditionType.ACCEPTED, FALSE, reason, problem)
    return Condition(ConditionType.ACCEPTED, TRUE, Reason.SPEC_VALID, "The spec is valid")


def judged_before(status: Manifest, kind: ConditionType) -> Condition | None:
    """A stored condition as it was judged; None too where another version gave its reason."""
    found = find(status.get("conditions", []), kind)
    if not found or found["reason"] not in set(Reason):
        return None
    return Condition(kind, found["status"], Reason(found["reason"]), found["message"])


def find(conditions: Sequence[Manifest], kind: ConditionType) -> Manifest | None:
    """The condition of that type."""
    return next((c for c in conditions if c["type"] == kind), None)
