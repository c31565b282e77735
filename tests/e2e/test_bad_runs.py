"""Runs that cannot be scored: each says why, and none has a score."""

import re
from typing import Any

import pytest

from tests.examples import run
from tests.kube import LONG_SECONDS, Kubectl, Manifest, RefusedError, eventually

pytestmark = pytest.mark.e2e
ER = "evaluationrun"


def evaluation(**fields: Any) -> list[Manifest]:
    """The example's evaluation of the multiple-choice task alone, changed."""
    (base,) = run()["spec"]["evaluations"]
    return [{**base, "tasks": ["arithmetic_mc"], **fields}]


def stored(kubectl: Kubectl, name: str) -> Manifest:
    """The run's only evaluation as the status has it."""
    found = kubectl.get(ER, name)
    assert found
    (only,) = found["status"]["evaluations"]
    return dict(only)


def test_an_unknown_harness_is_refused_with_the_known_ones(kubectl: Kubectl) -> None:
    with pytest.raises(RefusedError, match='supported values: "lm-eval"'):
        kubectl.apply(run("unknown", evaluations=evaluation(harness="lm-evl")))


def test_an_unknown_task_is_told_with_near_matches(served: Kubectl) -> None:
    served.apply(run("task", evaluations=evaluation(tasks=["arithmetic_mcc"]), gate=None))
    words = served.wait_condition(ER, "task", "Succeeded", "False", "UnknownTask", LONG_SECONDS)
    assert "arithmetic_mc" in words
    assert "results" not in stored(served, "task")
    (job,) = served.list("jobs", "proctor.dev/run=task")
    assert job["status"]["failed"] == 1


def test_a_task_that_crashes_half_way_has_no_score(served: Kubectl) -> None:
    crashing = evaluation(datasets={"pvc": {"claimName": "arithmetic", "path": "crashing"}})
    served.apply(run("crash", evaluations=crashing, retry={"limit": 1}, gate=None))
    failed = ("Succeeded", "False", "HarnessFailed")
    words = served.wait_condition(ER, "crash", *failed, LONG_SECONDS)
    assert "ZeroDivisionError" in words
    assert "results" not in stored(served, "crash")
    (job,) = served.list("jobs", "proctor.dev/run=crash")
    assert job["status"]["failed"] == 2
    # The crash came after answers: what was paid for is in the adapter's own account.
    (name, *_) = [p["metadata"]["name"] for p in served.list("pods", "proctor.dev/run=crash")]
    logs = served("logs", name, "--container", "adapter")
    assert max(map(int, re.findall(r"'successful_count': (\d+)", logs))) > 700


def test_a_missing_secret_holds_the_run_until_it_is_there(served: Kubectl) -> None:
    endpoint = {
        "url": f"http://arithmetic.{served.namespace}.svc:8080",
        "model": "arithmetic",
        "apiKeySecretRef": {"name": "key", "key": "token"},
    }
    few = evaluation()
    few[0]["params"]["limitSamples"] = 10
    served.apply(run("secret", target={"endpoint": endpoint}, evaluations=few, gate=None))
    held = ("Running", "False", "ContainerConfigInvalid")
    # The kubelet's first words may be that it has not yet read the namespace's Secrets.
    served.wait_condition(ER, "secret", *held, LONG_SECONDS, words='secret "key" not found')
    served("create", "secret", "generic", "key", "--from-literal=token=hush")
    served.wait_condition(ER, "secret", "Succeeded", "True", "AllScored", LONG_SECONDS)


def test_a_target_that_does_not_answer_is_no_wrong_answer(served: Kubectl) -> None:
    endpoint = {"url": f"http://nobody.{served.namespace}.svc:8080", "model": "arithmetic"}
    impatient = evaluation()
    impatient[0]["params"] |= {"maxRetries": 1, "requestTimeoutSeconds": 5}
    served.apply(
        run(
            "nobody",
            target={"endpoint": endpoint},
            evaluations=impatient,
            retry={"limit": 0},
            gate=None,
        )
    )
    failed = ("Succeeded", "False", "TargetUnreachable")
    served.wait_condition(ER, "nobody", *failed, LONG_SECONDS)
    assert eventually(lambda: "results" not in stored(served, "nobody"))
