"""A run in a Kueue LocalQueue: the real Kueue starts it, stops it half way, and starts it again."""

from collections.abc import Iterator

import pytest

from tests.e2e import kueue
from tests.e2e.answers import CLAIM, Answers
from tests.e2e.disruptions import pods_of
from tests.examples import run
from tests.kube import LONG_SECONDS, Kubectl, Manifest, eventually
from tests.reference import assert_scores_are_the_reference

pytestmark = pytest.mark.e2e
ER = "evaluationrun"
QUESTIONS = 1200
PARALLELISM = 2


@pytest.fixture(scope="module")
def queued(served: Kubectl) -> Iterator[Kubectl]:
    """kubectl in a namespace whose LocalQueue `team` admits nothing yet."""
    with kueue.installed(served):
        kueue.queue(served, "1")
        kueue.stop(served, "Hold")
        yield served


def queued_run(name: str, shards: int = 1) -> Manifest:
    """A run in the queue that keeps its answers."""
    kept = {"pvc": {"claimName": CLAIM}}
    manifest = run(name, queueName="team", artifacts=kept, retry={"limit": 0}, gate=None)
    (evaluation,) = manifest["spec"]["evaluations"]
    evaluation["params"]["parallelism"] = PARALLELISM
    evaluation["shards"] = shards
    return manifest


def stopped(kubectl: Kubectl, name: str) -> None:
    """Have Kueue stop all that runs, and wait until the run has no pod."""
    kueue.stop(kubectl, "HoldAndDrain")
    kubectl.wait_condition(ER, name, "Running", "False", "WaitingForQuota", LONG_SECONDS)
    eventually(lambda: not pods_of(kubectl, name), LONG_SECONDS)


def job_of(kubectl: Kubectl, name: str) -> Manifest:
    """The run's one Job."""
    (found,) = kubectl.list("jobs", f"proctor.dev/run={name}")
    return found


def scored(kubectl: Kubectl, name: str) -> None:
    """Wait for the scores of a run that nobody stops."""
    kubectl.wait_condition(ER, name, "Succeeded", "True", "AllScored", LONG_SECONDS)
    found = kubectl.get(ER, name)
    assert found
    assert_scores_are_the_reference(found)


def test_it_waits_is_admitted_is_stopped_and_ends_at_the_same_scores(
    queued: Kubectl, answers: Answers
) -> None:
    name = "queued"
    queued.apply(queued_run(name))
    words = queued.wait_condition(ER, name, "Running", "False", "WaitingForQuota")
    assert "LocalQueue team" in words
    assert not pods_of(queued, name)
    kueue.stop(queued, "None")
    answers.grow(name)
    before = job_of(queued, name)["metadata"]["uid"]
    stopped(queued, name)
    kueue.stop(queued, "None")
    answers.grow(name)
    # The run's own switch: it leaves the queue, and comes back as another Job.
    wanted = queued_run(name)
    queued.apply({**wanted, "spec": {**wanted["spec"], "suspend": True}})
    queued.wait_condition(ER, name, "Running", "False", "Suspended")
    eventually(lambda: not queued.list("workloads"), LONG_SECONDS)
    assert job_is_gone(queued, name)
    queued.apply(wanted)
    scored(queued, name)
    assert job_of(queued, name)["metadata"]["uid"] != before
    assert QUESTIONS <= answers.paid(name) <= QUESTIONS + 2 * PARALLELISM


def job_is_gone(kubectl: Kubectl, name: str) -> bool:
    """Whether no Job of the run is left for Kueue to start."""
    return not kubectl.list("jobs", f"proctor.dev/run={name}")


def test_shards_are_admitted_and_stopped_together(queued: Kubectl, answers: Answers) -> None:
    name = "sharded"
    kueue.stop(queued, "None")
    queued.apply(queued_run(name, shards=2))
    eventually(lambda: len(pods_of(queued, name)) == 2, LONG_SECONDS)
    answers.grow(name)
    stopped(queued, name)
    kueue.stop(queued, "None")
    scored(queued, name)
    assert QUESTIONS <= answers.paid(name) <= QUESTIONS + 2 * PARALLELISM
