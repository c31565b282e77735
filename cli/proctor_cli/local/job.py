"""The Job controller."""

from datetime import timedelta
from time import monotonic

from proctor_cli.local.controller import Queue
from proctor_cli.local.job_index import INDEX, is_indexed, missing
from proctor_cli.local.job_status import End, counted, end, job_status, seconds_left
from proctor_cli.local.objects import (
    Change,
    Clock,
    condition,
    controller_ref,
    holds,
    owned,
    owner_uids,
    parse_timestamp,
    random_suffix,
    uid,
)
from proctor_cli.local.store import Store
from proctor_operator.cluster import Manifest, Ref

TRACKED = "batch.kubernetes.io/job-tracking"
"""Finalizer of pods not yet counted: one that is deleted meanwhile is counted all the same."""

_LONGEST_BACKOFF = 36  # times the first delay: 6 minutes for Kubernetes' 10 s


class JobController:
    """Runs pods until enough have succeeded, or the Job's own rules say to give up."""

    def __init__(self, store: Store, now: Clock, backoff_seconds: float) -> None:
        self._store = store
        self._now = now
        self._backoff = backoff_seconds
        self._last_failure: dict[str, float] = {}
        self.queue = Queue(self._sync)

    def on_change(self, change: Change) -> None:
        """Look at a Job when it or one of its pods changes."""
        if change.object["kind"] == "Job":
            self.queue.add(change.ref)
        for owner in change.object["metadata"].get("ownerReferences", []):
            if owner["kind"] == "Job":
                namespace = change.object["metadata"]["namespace"]
                self.queue.add(Ref(owner["apiVersion"], "Job", namespace, owner["name"]))

    def _sync(self, ref: Ref) -> float | None:
        self._let_go(ref.namespace)
        job = self._store.get(ref)
        if job is None:
            return None
        if holds(job, "Complete") or holds(job, "Failed"):
            return self._expire(job)
        pods = self._pods(job)
        uncounted = [pod for pod in pods if _finished(pod) and _is_tracked(pod)]
        job["status"] = self._count(job, uncounted)
        over = end(job, uncounted, pods, self._now())
        again = self._manage(job, over)
        living = [pod for pod in self._pods(job) if not _finished(pod)]
        self._store.set_status(ref, job_status(job, living, over, self._now()))
        return again

    def _count(self, job: Manifest, finished: list[Manifest]) -> Manifest:
        """The status with `finished` added, which thereby may go."""
        status = counted(job, finished)
        if status.get("failed", 0) > job.get("status", {}).get("failed", 0):
            self._last_failure[uid(job)] = monotonic()
        for pod in finished:
            self._untrack(pod)
        return status

    def _manage(self, job: Manifest, over: End | None) -> float | None:
        """Create or delete pods; in how many seconds to look again."""
        spec, status = job["spec"], job["status"]
        # A pod on its way out still has its GPUs and files, so it takes room until it has ended.
        living = [pod for pod in self._pods(job) if not _finished(pod)]
        if over:
            self._delete(living)
            return None
        if spec.get("suspend"):
            status.pop("startTime", None)
            for pod in living:
                self._untrack(pod)  # it did not fail: we end it
            self._delete(living)
            return None
        left = spec.get("completions", 1) - status.get("succeeded", 0)
        room = min(spec.get("parallelism", 1), left) - len(living)
        wait = self._seconds_to_wait(job) if room > 0 else None
        if not wait:
            indexes = missing(job, living)[:room] if is_indexed(job) else [None] * room
            for index in indexes:
                self._store.create(_pod(job, index))
        return min(filter(None, (wait, seconds_left(job, self._now()))), default=None)

    def _seconds_to_wait(self, job: Manifest) -> float:
        """What is left of the back-off after the last failure; it doubles with each."""
        failures = int(job["status"].get("failed", 0))
        if not failures:
            return 0.0
        delay: float = self._backoff * min(2 ** (failures - 1), _LONGEST_BACKOFF)
        return max(self._last_failure.get(uid(job), 0.0) + delay - monotonic(), 0.0)

    def _expire(self, job: Manifest) -> float | None:
        """Delete the finished Job when its time has come."""
        self._last_failure.pop(uid(job), None)
        keep = job["spec"].get("ttlSecondsAfterFinished")
        if keep is None:
            return None
        finish = condition(job, "Complete") or condition(job, "Failed") or {}
        expiry = parse_timestamp(finish["lastTransitionTime"]) + timedelta(seconds=keep)
        left = (expiry - self._now()).total_seconds()
        if left > 0:
            return left
        self._store.delete(Ref.of(job))
        return None

    def _pods(self, job: Manifest) -> list[Manifest]:
        return owned(self._store.find("v1", "Pod", job["metadata"]["namespace"]), job)

    def _delete(self, pods: list[Manifest]) -> None:
        for pod in pods:
            self._store.delete(Ref.of(pod))

    def _untrack(self, pod: Manifest) -> None:
        rest = [each for each in pod["metadata"].get("finalizers", []) if each != TRACKED]
        self._store.set_metadata(Ref.of(pod), finalizers=rest or None)

    def _let_go(self, namespace: str) -> None:
        """Pods of Jobs that are gone will be counted by nobody."""
        jobs = {uid(job) for job in self._store.find("batch/v1", "Job", namespace)}
        for pod in self._store.find("v1", "Pod", namespace):
            if _is_tracked(pod) and owner_uids(pod).isdisjoint(jobs):
                self._untrack(pod)


def _is_tracked(pod: Manifest) -> bool:
    return TRACKED in pod["metadata"].get("finalizers", [])


def _finished(pod: Manifest) -> bool:
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed")


def _pod(job: Manifest, index: int | None) -> Manifest:
    meta, template = job["metadata"], job["spec"]["template"]
    own = template.get("metadata", {})
    labels = {
        "batch.kubernetes.io/controller-uid": uid(job),
        "batch.kubernetes.io/job-name": meta["name"],
        "controller-uid": uid(job),
        "job-name": meta["name"],
    }
    at = {} if index is None else {INDEX: str(index)}
    prefix = meta["name"] if index is None else f"{meta['name']}-{index}"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{prefix}-{random_suffix()}",
            "namespace": meta["namespace"],
            "labels": {**own.get("labels", {}), **labels, **at},
            "annotations": {**own.get("annotations", {}), **at},
            "ownerReferences": [controller_ref(job)],
            "finalizers": [TRACKED],
        },
        "spec": template["spec"],
    }
