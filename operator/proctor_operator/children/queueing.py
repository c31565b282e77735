"""Jobs that wait for quota in a Kueue LocalQueue (docs/adr/0019).

Kueue starts, stops and resumes a Job by its `spec.suspend`, so from the first start on that field
is Kueue's, and the operator writes the Job without it.
"""

from proctor_crds.evaluation_run import EvaluationRunSpec
from proctor_operator.cluster import Manifest

QUEUE_LABEL = "kueue.x-k8s.io/queue-name"


def labels(run: EvaluationRunSpec) -> dict[str, str]:
    """What makes a Job Kueue's to start; empty for a run without a queue."""
    return {QUEUE_LABEL: run.queue_name} if run.queue_name else {}


def suspended_first(run: EvaluationRunSpec) -> bool:
    """`spec.suspend` of a new Job: in a queue, no pod may start before there is quota for it."""
    return run.suspend or run.queue_name is not None


def yielded(job: Manifest, found: Manifest | None) -> Manifest:
    """`job` as it may be applied over `found`: without `spec.suspend` where Kueue started it.

    While it is suspended the field stays true: left out, it would fall back to false. Kueue also
    queues Jobs of itself, in a namespace whose LocalQueue is called `default`.
    """
    if found is None or not (is_queued(job) or is_queued(found)):
        return job
    spec = {key: value for key, value in job["spec"].items() if key != "suspend"}
    return job | {"spec": spec | ({"suspend": True} if found["spec"].get("suspend") else {})}


def waits(job: Manifest) -> bool:
    """Whether Kueue holds the Job: it was not admitted yet, or was stopped."""
    return is_queued(job) and bool(job["spec"].get("suspend"))


def is_queued(job: Manifest) -> bool:
    """Whether the Job is in a queue."""
    return queue(job) is not None


def queue(job: Manifest) -> str | None:
    """The LocalQueue that the Job is in."""
    found: str | None = job["metadata"].get("labels", {}).get(QUEUE_LABEL)
    return found
