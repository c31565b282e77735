"""EvaluationRun: what is observed of it, what it should have, and what that amounts to."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from proctor_crds.evaluation_run import Evaluation
from proctor_crds.reasons import ConditionType
from proctor_operator import continuity, run_status
from proctor_operator.children import queueing
from proctor_operator.children.adapter import ADAPTER_PORTS
from proctor_operator.children.artifacts import Run
from proctor_operator.children.evaluation_job import job, shards_job
from proctor_operator.children.naming import EVALUATION_LABEL, owner_labels
from proctor_operator.cluster import Cluster, Manifest, Ref
from proctor_operator.evaluations import (
    Evaluated,
    asked_share,
    digests,
    evaluated,
    further,
    has_condition,
    has_ended,
    is_running,
    stands,
    together,
)
from proctor_operator.metadata import ending, owned
from proctor_operator.plan import Desired
from proctor_operator.pods import phase
from proctor_operator.settings import Settings
from proctor_operator.status import Condition, judged_before, timestamp
from proctor_operator.target import ObservedTarget, observe_all

SOON = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Observed:
    """The target, the Jobs, their pods, and how far each evaluation is."""

    target: ObservedTarget
    children: Sequence[Manifest]
    pods: Sequence[Manifest]
    progress: Mapping[str, Manifest]


async def observe(owner: Run, cluster: Cluster, settings: Settings, now: datetime) -> Observed:
    """Read everything that judging needs; pods after Jobs, so that a done Job's pod is done too."""
    target = await observe_all(owner.spec, owner.namespace, cluster)
    labels = owner_labels(owner)
    jobs = await cluster.list("batch/v1", "Job", owner.namespace, labels)
    pods = await cluster.list("v1", "Pod", owner.namespace, labels)
    own = [job for job in jobs if owned(job, owner.uid)]
    progress = await progress_of(pods, cluster) if may_ask(owner, settings, now) else {}
    return Observed(target, own, pods, progress)


def may_ask(owner: Run, settings: Settings, now: datetime) -> bool:
    """Whether the adapters may be asked for their progress again.

    Each answer is a status to write, and whatever becomes of a pod is a reason to reconcile.
    """
    last = owner.status.get("lastProgressTime")
    pause = timedelta(seconds=settings.progress_seconds)
    return not last or now - datetime.fromisoformat(last) >= pause


async def progress_of(pods: Sequence[Manifest], cluster: Cluster) -> Mapping[str, Manifest]:
    """What the adapters say, by Job; all are asked at once, for one may not answer."""
    running = list(filter(is_running, pods))
    answers = await asyncio.gather(*(counted(pod, cluster) for pod in running))
    told = [(job_of(p), a) for p, a in zip(running, answers, strict=True) if a is not None]
    told += [(job_of(pod), ended) for pod in pods if (ended := asked_share(pod))]
    return {name: together([a for of, a in told if of == name]) for name in {n for n, _ in told}}


async def counted(pod: Manifest, cluster: Cluster) -> Manifest | None:
    """What a pod's adapter has counted. A thousand may answer: of no answer is more held."""
    (port,) = ADAPTER_PORTS
    answer = await cluster.get_json(pod, port, "/progress")
    return None if answer is None else together([answer])


def job_of(pod: Manifest) -> str:
    """The name of the pod's Job."""
    owners = pod["metadata"].get("ownerReferences", [])
    return next((str(o["name"]) for o in owners if o["kind"] == "Job"), "")


def desire(owner: Run, observed: Observed, settings: Settings) -> Desired:
    """A Job for each unfinished evaluation.

    None is started before the target is ready, none is ended because it is not for a while, all are
    ended when it is gone. The Job of a finished evaluation stays, for its log, if it ended; one
    whose adapter refuses its configuration never does. A suspended run's Job in a queue is
    deleted: suspended, it would still be Kueue's to start.
    """
    existing = {Ref.of(child): child for child in observed.children}
    living = {Ref.of(child) for child in observed.children if not has_ended(child)}
    apply, keep = [], []
    for evaluation in owner.spec.evaluations:
        before = finished_before(owner, evaluation)
        if before:
            keep.append(Ref("batch/v1", "Job", owner.namespace, before["job"]))
            continue
        started = may_start(owner, evaluation, observed)
        for wanted in wanted_jobs(owner, evaluation, observed, settings):
            found = existing.get(Ref.of(wanted))
            if may_stay(owner, found) if found else started:
                apply.append(queueing.yielded(wanted, found))
    return Desired(apply, frozenset(keep) - living)


def may_start(owner: Run, evaluation: Evaluation, observed: Observed) -> bool:
    """Whether a Job that does not exist yet may be made."""
    ready = observed.target.ready and not owner.spec.suspend
    return ready and not left_of(owner, evaluation, observed)


def may_stay(owner: Run, found: Manifest) -> bool:
    """Whether a Job that exists is still wanted."""
    return not (owner.spec.suspend and queueing.is_queued(found)) or has_ended(found)


def left(owner: Run, observed: Observed) -> str | None:
    """The name of a pod that an evaluation waits for."""
    found = (left_of(owner, evaluation, observed) for evaluation in owner.spec.evaluations)
    return next(filter(None, found), None)


def left_of(owner: Run, evaluation: Evaluation, observed: Observed) -> str | None:
    """The name of a pod that the evaluation's next Job would share its artifacts with."""
    if not owner.spec.artifacts:
        return None
    pods = (pod["metadata"]["name"] for pod in observed.pods if is_left(pod, evaluation))
    return next(pods, None)


def is_left(pod: Manifest, evaluation: Evaluation) -> bool:
    """Whether a pod of another Job of the evaluation still writes where a new one would.

    Of the run before it was changed, or of one that was deleted and had the same name.
    """
    same = pod["metadata"]["labels"].get(EVALUATION_LABEL) == evaluation.name
    return same and phase(pod) not in ("Succeeded", "Failed")


def wanted_jobs(
    owner: Run, evaluation: Evaluation, observed: Observed, settings: Settings
) -> list[Manifest]:
    """The evaluation's Jobs, the one that it waits for last; none where there is no target to ask.

    The Job that scores what several pods asked is made when all of them have.
    """
    upstream = observed.target.upstream
    if not upstream:
        return []
    scoring = job(owner, evaluation, upstream, settings)
    if evaluation.shards == 1:
        return [continuity.current(scoring, observed.children, observed.pods)]
    asking = continuity.current(
        shards_job(owner, evaluation, upstream, settings), observed.children, observed.pods
    )
    done = found_of(asking, observed)
    if not done or not has_condition(done, "Complete"):
        return [asking]
    return [asking, continuity.current(scoring, observed.children, observed.pods)]


def found_of(wanted: Manifest, observed: Observed) -> Manifest | None:
    """The Job as it is."""
    name = wanted["metadata"]["name"]
    return next((c for c in observed.children if c["metadata"]["name"] == name), None)


def stored_before(owner: Run, evaluation: Evaluation) -> Manifest:
    """The evaluation as the status has it; empty where it is new."""
    stored: list[Manifest] = owner.status.get("evaluations", [])
    return next((e for e in stored if e["name"] == evaluation.name), {})


def finished_before(owner: Run, evaluation: Evaluation) -> Manifest | None:
    """The stored status of an evaluation that ended, if it is still what the spec asks for.

    Scores outlive their target, its deployment's changes and the operator's images. A failure does
    not outlive a change of the resources or the retries that it may have come from.
    """
    before = stored_before(owner, evaluation)
    ended = "completionTime" in before
    return before if ended and stands(owner.spec, evaluation, before) else None


def judge(
    owner: Run, observed: Observed, settings: Settings, now: datetime
) -> tuple[list[Condition], Manifest]:
    """Conditions and the other fields of the status."""
    found = [judge_one(owner, e, observed, settings, now) for e in owner.spec.evaluations]
    done = all(e.finished for e in found)
    jobs = [child for child in observed.children if not ending(child) and not has_ended(child)]
    pods = [pod for pod in observed.pods if any(belongs(pod, job) for job in jobs)]
    conditions = [
        target_ready(owner, observed, done=done),
        run_status.preflight(found),
        run_status.running(
            owner, observed.target, found, jobs, pods, now=now, left=left(owner, observed)
        ),
        run_status.succeeded(owner, found),
        *run_status.gate(owner, found),
    ]
    before = owner.status
    progress = run_status.progress(found)
    moved = before.get("progress", progress) != progress
    started = [child for child in observed.children if not ending(child)]
    fields = {
        "startTime": before.get("startTime") or (timestamp(now) if started else None),
        "completionTime": (before.get("completionTime") or timestamp(now)) if done else None,
        "progress": progress,
        "lastProgressTime": timestamp(now) if moved else before.get("lastProgressTime"),
        "score": run_status.headline(found),
        "evaluations": [e.stored for e in found],
    }
    return conditions, {key: value for key, value in fields.items() if value is not None}


def target_ready(owner: Run, observed: Observed, *, done: bool) -> Condition:
    """Whether the target answers; a finished run has no use for it, and keeps what it saw last."""
    last = judged_before(owner.status, ConditionType.TARGET_READY) if done else None
    return last or observed.target.condition


def judge_one(
    owner: Run, evaluation: Evaluation, observed: Observed, settings: Settings, now: datetime
) -> Evaluated:
    """One evaluation: as it was stored if it ended, else as its Job and pods tell."""
    finished = finished_before(owner, evaluation)
    if finished:
        return Evaluated(finished)
    wanted = wanted_jobs(owner, evaluation, observed, settings)
    found = found_of(wanted[-1], observed) if wanted else None
    names = [job["metadata"]["name"] for job in wanted]
    pods = [p for p in observed.pods if found and belongs(p, found)]
    before = stored_before(owner, evaluation)
    # Also of a Job that is not there for now: a suspended run's leaves its queue.
    last = before if before.get("job") in names else {}
    # The first Job asks; one that scores after it goes through all that was answered again.
    seen = next(filter(None, map(observed.progress.get, names)), last.get("progress"))
    if owner.spec.artifacts:
        seen = further(seen, last.get("progress"))
    told = {"job": last.get("job")} | evaluated(evaluation.name, found, pods, seen, now).stored
    told |= digests(owner.spec, evaluation, told)
    origin = provenance(found, observed.target, last.get("provenance", {}))
    told |= {"provenance": origin or None}
    return Evaluated({key: value for key, value in told.items() if value is not None})


def provenance(found: Manifest | None, target: ObservedTarget, before: Manifest) -> Manifest:
    """What the scores come from: what the target said last while their Job ran."""
    if not found or (before and has_ended(found)):
        return before
    return before | target.provenance()


def belongs(pod: Manifest, job: Manifest) -> bool:
    """Whether `pod` is one of the Job's: by uid, as a Job made anew has its forerunner's name."""
    return owned(pod, job["metadata"]["uid"])


def next_look(
    owner: Run, observed: Observed, settings: Settings, status: Manifest, now: datetime
) -> timedelta | None:
    """When to reconcile again though nothing happened: for progress, and to delete on time."""
    if has_spare_job(observed, status):
        return SOON
    if any(map(is_running, observed.pods)):
        return timedelta(seconds=settings.progress_seconds)
    left = time_to_live(owner, status, now)
    return max(left, SOON) if left is not None else None


def has_spare_job(observed: Observed, status: Manifest) -> bool:
    """Whether a Job is there without need: once its evaluation's end is told, it is not desired.

    One that came to its end and gave the scores stays, for its log.
    """
    over = {e.get("job") for e in status.get("evaluations", []) if "completionTime" in e}

    def is_spare(job: Manifest) -> bool:
        known = job["metadata"]["name"] in over
        return not has_ended(job) if known else "completionTime" in status

    return any(is_spare(child) for child in observed.children if not ending(child))


def time_to_live(owner: Run, status: Manifest, now: datetime) -> timedelta | None:
    """How long a finished run still has; None where it stays or has not finished."""
    ttl, ended = owner.spec.ttl_seconds_after_finished, status.get("completionTime")
    if ttl is None or not ended:
        return None
    return datetime.fromisoformat(ended) + timedelta(seconds=ttl) - now
