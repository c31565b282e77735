"""Which Job an evaluation has: what has begun goes on, though an upgrade would build it otherwise.

An evaluation may take hours, and a new image of the harness changes nothing that was asked of it.
A Job that has not begun is made anew: the upgrade may be what it waits for.
"""

from collections.abc import Sequence

from proctor_operator.children.evaluation_job import ASKED_ANNOTATION, IMMUTABLE
from proctor_operator.cluster import Manifest
from proctor_operator.evaluations import has_ended
from proctor_operator.metadata import ending, owned
from proctor_operator.pods import phase


def current(wanted: Manifest, jobs: Sequence[Manifest], pods: Sequence[Manifest]) -> Manifest:
    """The Job that shall exist: `wanted`, or one of `jobs` of which the same was asked."""
    standing = {job["metadata"]["name"]: job for job in jobs if not ending(job)}
    if there := standing.get(wanted["metadata"]["name"]):
        # A webhook may have made another template of it, which nobody can change any more.
        return continued(wanted, there)
    same = (job for job in standing.values() if asked(job) == asked(wanted))
    begun = next((job for job in same if has_begun(job, pods)), None)
    return continued(wanted, begun) if begun else wanted


def continued(wanted: Manifest, begun: Manifest) -> Manifest:
    """`wanted`, as far as a Job that has begun can still become it."""
    meta = wanted["metadata"] | {"name": begun["metadata"]["name"]}
    kept = {field: begun["spec"][field] for field in IMMUTABLE if field in begun["spec"]}
    return wanted | {"metadata": meta, "spec": wanted["spec"] | kept}


def asked(job: Manifest) -> str | None:
    """What was asked of the Job, as its builder noted it."""
    found: str | None = job["metadata"].get("annotations", {}).get(ASKED_ANNOTATION)
    return found


def has_begun(job: Manifest, pods: Sequence[Manifest]) -> bool:
    """Whether the Job ended, or a pod of it got as far as to run."""
    own = [pod for pod in pods if owned(pod, job["metadata"]["uid"])]
    return has_ended(job) or any(phase(pod) not in ("", "Pending") for pod in own)
