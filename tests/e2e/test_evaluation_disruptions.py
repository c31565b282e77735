"""An evaluation whose pod is taken away goes on: nothing that was answered is asked again."""

from typing import Any

import pytest

from tests.e2e.answers import CLAIM, Answers
from tests.e2e.disruptions import SLOT, disrupted, drain, evict, one_slot, preempted
from tests.examples import run
from tests.kube import LONG_SECONDS, Kubectl, Manifest
from tests.reference import assert_scores_are_the_reference

pytestmark = pytest.mark.e2e
ER = "evaluationrun"
QUESTIONS = 1200
PARALLELISM = 2
"""Questions in flight: those that a disruption may leave without an answer."""


def kept_run(name: str, resources: Manifest, **spec: Any) -> Manifest:
    """A run that keeps its answers, and asks so slowly that there is time to interrupt it."""
    manifest = run(name, artifacts={"pvc": {"claimName": CLAIM}}, gate=None, **spec)
    (evaluation,) = manifest["spec"]["evaluations"]
    evaluation["params"]["parallelism"] = PARALLELISM
    evaluation["resources"] = resources
    return manifest


def scored(kubectl: Kubectl, name: str) -> Manifest:
    """The run, once it has the scores of one that nobody interrupts."""
    kubectl.wait_condition(ER, name, "Succeeded", "True", "AllScored", LONG_SECONDS)
    found = kubectl.get(ER, name)
    assert found
    assert_scores_are_the_reference(found)
    return found


def goes_on(kubectl: Kubectl, answers: Answers, name: str) -> None:
    """Wait until the run was answered more, and says that it runs: what comes next is news."""
    answers.grow(name)
    kubectl.wait_condition(ER, name, "Running", "True", "JobsRunning", LONG_SECONDS)


def test_evicted_drained_preempted_and_suspended_it_ends_at_the_same_scores(
    served: Kubectl, answers: Answers
) -> None:
    name, interruptions = "interrupted", 4
    resources = {"requests": {"cpu": "100m", "memory": "512Mi"}, "limits": {SLOT: "1"}}
    # No pod may fail: that none of this counts as a failure is what lets the run end well.
    wanted = kept_run(name, resources, retry={"limit": 0})
    with one_slot(served):
        served.apply(wanted)
        goes_on(served, answers, name)
        evict(served, name)
        disrupted(served, name, "EvictionByEvictionAPI")
        goes_on(served, answers, name)
        drain(served, name)
        disrupted(served, name, "EvictionByEvictionAPI", pods=2)
        goes_on(served, answers, name)
        with preempted(served):
            disrupted(served, name, "PreemptionByScheduler")
            held = ("Running", "False", "Unschedulable")
            words = served.wait_condition(ER, name, *held, LONG_SECONDS)
            assert f"Insufficient {SLOT}" in words
        goes_on(served, answers, name)
        served.apply({**wanted, "spec": {**wanted["spec"], "suspend": True}})
        served.wait_condition(ER, name, "Running", "False", "Suspended")
        served.apply(wanted)
        scored(served, name)
    assert QUESTIONS <= answers.paid(name) <= QUESTIONS + interruptions * PARALLELISM


def test_killed_for_memory_it_says_so_and_a_higher_limit_finishes_it(
    served: Kubectl, answers: Answers
) -> None:
    name, attempts = "hungry", 2
    spec: Manifest = {"retry": {"limit": attempts - 1}}
    small = kept_run(name, memory("768Mi"), **spec)
    served.apply(hungry(small))
    words = served.wait_condition(ER, name, "Succeeded", "False", "OutOfMemory", LONG_SECONDS)
    assert "resources.limits.memory" in words
    (job,) = served.list("jobs", f"proctor.dev/run={name}")
    assert job["status"]["failed"] == attempts
    before = answers.paid(name)
    assert 300 <= before < QUESTIONS
    served.apply(hungry(kept_run(name, memory("3Gi"), **spec)))
    scored(served, name)
    assert QUESTIONS <= answers.paid(name) <= QUESTIONS + attempts * PARALLELISM


def memory(limit: str) -> Manifest:
    """Resources of a harness that may have so much memory."""
    return {"requests": {"cpu": "100m", "memory": "512Mi"}, "limits": {"memory": limit}}


def hungry(manifest: Manifest) -> Manifest:
    """The run with the task that takes a gibibyte half way."""
    (evaluation,) = manifest["spec"]["evaluations"]
    evaluation["datasets"] = {"pvc": {"claimName": "arithmetic", "path": "hungry"}}
    return manifest
