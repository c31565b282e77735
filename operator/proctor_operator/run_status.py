"""What an EvaluationRun's evaluations amount to together: conditions and the columns of `get`."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from proctor_crds.reasons import ConditionType, Reason
from proctor_crds.results import ResultRecord
from proctor_operator import verdict
from proctor_operator.children import queueing
from proctor_operator.children.artifacts import Run
from proctor_operator.cluster import Manifest
from proctor_operator.evaluations import Evaluated, is_running
from proctor_operator.metadata import owned
from proctor_operator.pods import Trouble, disruption, newest_first, phase, trouble
from proctor_operator.status import FALSE, TRUE, UNKNOWN, Condition
from proctor_operator.target import ObservedTarget

BEFORE_ASKING = {Reason.PREFLIGHT_FAILED, Reason.UNKNOWN_TASK, Reason.PARAMETER_INVALID}
"""Reasons of failures that come before their pod's first question."""
PODLESS = timedelta(seconds=30)
"""After which a Job that has no pod is not about to get one."""
SHOWN_WHOLE = 1e6
"""Scores from here on are shown by their magnitude."""


def running(  # noqa: PLR0913  what there is, each by its name
    owner: Run,
    target: ObservedTarget,
    found: Sequence[Evaluated],
    jobs: Sequence[Manifest],
    pods: Sequence[Manifest],
    *,
    now: datetime,
    left: str | None = None,
) -> Condition:
    """Whether `jobs`, those that have not ended, run, and what keeps their pods from it.

    `left` is a pod of an earlier Job that keeps the next one from being made.
    """
    if all(e.finished for e in found):
        return Condition(ConditionType.RUNNING, FALSE, Reason.FINISHED, "Every evaluation ended")
    if owner.spec.suspend:
        return Condition(ConditionType.RUNNING, FALSE, Reason.SUSPENDED, "suspend is true")
    if not jobs and target.ready and left:
        words = f"Pod {left} of an earlier Job has not ended"
        return Condition(ConditionType.RUNNING, FALSE, Reason.WAITING_FOR_POD, words)
    if not jobs:
        words = f"No Job yet: {target.condition.message}"
        return Condition(ConditionType.RUNNING, FALSE, Reason.WAITING_FOR_TARGET, words)
    held = (
        without_quota(jobs)
        or starting_trouble(pods)
        or disrupted(owner, pods)
        or podless(jobs, pods, now)
    )
    if held:
        return Condition(ConditionType.RUNNING, FALSE, held.reason, held.message)
    words = ", ".join(job["metadata"]["name"] for job in jobs if not queueing.waits(job))
    return Condition(ConditionType.RUNNING, TRUE, Reason.JOBS_RUNNING, f"Jobs: {words}")


def without_quota(jobs: Sequence[Manifest]) -> Trouble | None:
    """That Kueue holds every Job."""
    if not all(map(queueing.waits, jobs)):
        return None
    words = ", ".join(job["metadata"]["name"] for job in jobs)
    queues = ", ".join(sorted({str(queueing.queue(job)) for job in jobs}))
    return Trouble(Reason.WAITING_FOR_QUOTA, f"Jobs wait for quota of LocalQueue {queues}: {words}")


def podless(jobs: Sequence[Manifest], pods: Sequence[Manifest], now: datetime) -> Trouble | None:
    """That a Job never had a pod: what refuses pods, the Job's events alone tell."""
    for job in jobs:
        status, meta = job.get("status", {}), job["metadata"]
        had = any(status.get(count) for count in ("active", "failed", "succeeded", "terminating"))
        since = status.get("startTime")
        if had or not since or any(owned(pod, meta.get("uid", "")) for pod in pods):
            continue
        if now - datetime.fromisoformat(since) > PODLESS:
            words = "a quota or a policy may refuse it, as `kubectl describe job` tells"
            return Trouble(Reason.CHILD_REJECTED, f"Job {meta['name']} gets no pod: {words}")
    return None


def disrupted(owner: Run, pods: Sequence[Manifest]) -> Trouble | None:
    """That the last pod was taken away and none runs in its place yet.

    The pod itself is soon gone, and the Job waits longer each time before it makes another: until
    then what was told last still holds, whatever pods of before are left.
    """
    if any(map(is_running, pods)):
        return None
    told = (c for c in owner.status.get("conditions", []) if c["reason"] == Reason.DISRUPTED)
    before: Manifest | None = next(told, None)
    for pod in newest_first(pods):
        if why := disruption(pod):
            return Trouble(Reason.DISRUPTED, f"pod {pod['metadata']['name']}: {why}")
        later = not before or created(pod) >= before["lastTransitionTime"]
        if later and phase(pod) != "Succeeded":
            return None
    return Trouble(Reason.DISRUPTED, before["message"]) if before else None


def created(pod: Manifest) -> str:
    """When the pod was made, as the apiserver writes it."""
    return str(pod["metadata"].get("creationTimestamp", ""))


def starting_trouble(pods: Sequence[Manifest]) -> Trouble | None:
    """What keeps a pod from starting; how a pod ended is the Job's to judge."""
    return trouble(pod for pod in pods if phase(pod) == "Pending")


def preflight(found: Sequence[Evaluated]) -> Condition:
    """Whether anything was found before a question was answered; all findings of all evaluations.

    What ends an evaluation of which nothing was answered is such a finding, whoever tells it: a
    source of tasks that does not answer, a bucket that refuses, the harness's own look ahead.
    """
    early = {e.stored["name"]: e.stored["failure"] for e in found if ended_early(e)}
    if early:
        reasons = {why["reason"] for why in early.values()}
        reason = known(reasons.pop()) if len(reasons) == 1 else Reason.PREFLIGHT_FAILED
        words = "; ".join(f"{name}: {why['message']}" for name, why in early.items())
        return Condition(ConditionType.PREFLIGHT, FALSE, reason, words)
    silent = [e.stored["name"] for e in found if not has_asked(e)]
    if silent:
        words = f"Nothing asked yet: {', '.join(silent)}"
        return Condition(ConditionType.PREFLIGHT, UNKNOWN, Reason.NOT_FINISHED, words)
    words = "Every harness asks or has asked"
    return Condition(ConditionType.PREFLIGHT, TRUE, Reason.ASKING, words)


def ended_early(evaluation: Evaluated) -> bool:
    """Whether it ended without an answer."""
    if not evaluation.failed:
        return False
    return evaluation.stored["failure"]["reason"] in BEFORE_ASKING or not has_asked(evaluation)


def has_asked(evaluation: Evaluated) -> bool:
    """Whether a question of it was answered."""
    stored = evaluation.stored
    return bool(stored.get("results")) or stored["progress"]["done"] > 0


def succeeded(owner: Run, found: Sequence[Evaluated]) -> Condition:
    """Whether every evaluation has its scores."""
    failures = [(e.stored["name"], e.stored["failure"]) for e in found if e.failed]
    if not all(e.finished for e in found):
        words = ", ".join(e.stored["name"] for e in found if not e.finished)
        return Condition(
            ConditionType.SUCCEEDED, UNKNOWN, Reason.NOT_FINISHED, f"Not finished: {words}"
        )
    if not failures:
        words = f"{len(found)} of {len(found)} evaluations have scores{left_out(owner, found)}"
        return Condition(ConditionType.SUCCEEDED, TRUE, Reason.ALL_SCORED, words)
    reasons = {failure["reason"] for _, failure in failures}
    reason = known(reasons.pop()) if len(reasons) == 1 else Reason.EVALUATION_FAILED
    words = "; ".join(f"{name}: {failure['message']}" for name, failure in failures)
    return Condition(ConditionType.SUCCEEDED, FALSE, reason, words)


def known(word: str) -> Reason:
    """A stored reason, which a later version may have given."""
    return Reason(word) if word in set(Reason) else Reason.EVALUATION_FAILED


def left_out(owner: Run, found: Sequence[Evaluated]) -> str:
    """Whose scores are not all in the status, and where they are."""
    names = truncated(found)
    if not names:
        return ""
    where = "all of them are in the artifacts' results.json"
    lost = "the others went with the pod: set spec.artifacts in a run that shall keep them"
    words = where if owner.spec.artifacts else lost
    return f"; {' and '.join(names)} had more scores than fit here: {words}"


def truncated(found: Sequence[Evaluated]) -> list[str]:
    """The evaluations that have more scores than the status."""
    return [e.stored["name"] for e in found if e.stored.get("truncated")]


def gate(owner: Run, found: Sequence[Evaluated]) -> list[Condition]:
    """GatePassed, where the run has a gate."""
    if not owner.spec.gate:
        return []
    if not all(e.finished for e in found):
        words = "The scores are not complete"
        return [Condition(ConditionType.GATE_PASSED, UNKNOWN, Reason.NOT_FINISHED, words)]
    scores = [
        verdict.Score(e.stored["name"], ResultRecord.model_validate(record, extra="ignore"))
        for e in found
        for record in e.stored.get("results", [])
    ]
    return [verdict.judge(owner.spec.gate, scores, truncated(found))]


def progress(found: Sequence[Evaluated]) -> str:
    """Requests answered over requests in all; `?` while some total is unknown."""
    counts: list[Manifest] = [e.stored["progress"] for e in found]
    totals = [count.get("total") for count in counts]
    total = "?" if None in totals else sum(t for t in totals if t is not None)
    return f"{sum(count['done'] for count in counts)}/{total}"


def headline(found: Sequence[Evaluated]) -> str | None:
    """The first score with its standard error."""
    records: list[Manifest] = [r for e in found for r in e.stored.get("results", [])]
    if not records:
        return None
    value, stderr = float(records[0]["value"]), records[0].get("stderr")
    return brief(value) + (f" ± {brief(float(stderr))}" if stderr else "")


def brief(number: float) -> str:
    """A score as the status has room for: a perplexity may have hundreds of digits."""
    return f"{number:.4f}" if abs(number) < SHOWN_WHOLE else f"{number:.4g}"
