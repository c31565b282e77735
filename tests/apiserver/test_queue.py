"""A run in a queue against the real apiserver; what Kueue writes is written by hand."""

import json

import pytest

from tests.apiserver.by_hand import ER, jobs, make_ready, started
from tests.examples import deployment, run
from tests.kube import Kubectl, OperatorProcess, eventually

pytestmark = pytest.mark.apiserver
LABEL = "proctor.dev/evaluation"


def queued_job(kubectl: Kubectl) -> str:
    """The name of the Job of a run in the queue `team`."""
    kubectl.apply(deployment(), run(queueName="team"))
    make_ready(kubectl)
    job = started(kubectl)
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team"
    assert job["spec"]["suspend"] is True
    return str(job["metadata"]["name"])


def suspend(kubectl: Kubectl, job: str, held: bool) -> None:
    """As Kueue does: another field manager, and a merge patch."""
    patch = json.dumps({"spec": {"suspend": held}})
    kubectl("patch", "job", job, "--type=merge", "--field-manager=kueue", "-p", patch)


def loses_its_label(kubectl: Kubectl, job: str) -> None:
    """Something that makes the operator write the Job anew."""
    kubectl("label", "job", job, f"{LABEL}-")
    eventually(lambda: LABEL in kubectl.get("job", job)["metadata"]["labels"])


def test_kueue_alone_starts_and_stops_it(kubectl: Kubectl, operator: OperatorProcess) -> None:
    job = queued_job(kubectl)
    kubectl.wait_condition(ER, "arithmetic", "Running", "False", "WaitingForQuota")
    for held, status, reason in (
        (False, "True", "JobsRunning"),
        (True, "False", "WaitingForQuota"),
        (False, "True", "JobsRunning"),
    ):
        loses_its_label(kubectl, job)
        suspend(kubectl, job, held)
        kubectl.wait_condition(ER, "arithmetic", "Running", status, reason)
        loses_its_label(kubectl, job)
        assert kubectl.get("job", job)["spec"]["suspend"] is held


def test_a_suspended_run_leaves_the_queue_and_comes_back(
    kubectl: Kubectl, operator: OperatorProcess
) -> None:
    job = queued_job(kubectl)
    suspend(kubectl, job, False)
    kubectl.apply(run(queueName="team", suspend=True))
    kubectl.wait_condition(ER, "arithmetic", "Running", "False", "Suspended")
    eventually(lambda: not jobs(kubectl))
    kubectl.apply(run(queueName="team"))
    assert started(kubectl)["spec"]["suspend"] is True


def test_another_queue_is_another_job(kubectl: Kubectl, operator: OperatorProcess) -> None:
    job = queued_job(kubectl)
    suspend(kubectl, job, False)
    kubectl.apply(run(queueName="other"))
    eventually(lambda: [j["metadata"]["name"] for j in jobs(kubectl)] not in ([], [job]))
    assert started(kubectl)["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "other"
