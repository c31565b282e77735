"""An operator of another version goes on with what the one before began."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.apiserver.by_hand import ER, end_job, end_pod, jobs, make_ready, run_pod, started
from tests.examples import deployment, run
from tests.kube import Kubectl, Manifest, OperatorProcess, eventually

pytestmark = pytest.mark.apiserver
RESULT = '{"results":[{"task":"arithmetic_mc","metric":"acc","value":"0.75","n":200}]}'
Pair = tuple[OperatorProcess, OperatorProcess]


@pytest.fixture
def versions(kubectl: Kubectl, tmp_path: Path) -> Iterator[Pair]:
    """Two operators that differ in the harness's image; none runs yet."""
    environments = [
        {"WATCH_NAMESPACES": kubectl.namespace, "HARNESS_LM_EVAL_IMAGE": f"harness:{version}"}
        for version in (1, 2)
    ]
    old, new = (OperatorProcess(kubectl.kubeconfig, tmp_path / "log", e) for e in environments)
    yield old, new
    old.stop()
    new.stop()


def upgrade(versions: Pair) -> None:
    old, new = versions
    old.stop()
    new.start()


def begun(kubectl: Kubectl, versions: Pair) -> Manifest:
    """The Job of the old operator."""
    versions[0].start()
    kubectl.apply(deployment(), run())
    make_ready(kubectl)
    return started(kubectl)


def image(job: Manifest) -> str:
    found: str = job["spec"]["template"]["spec"]["containers"][0]["image"]
    return found


def test_a_job_that_runs_goes_on_and_can_be_held(kubectl: Kubectl, versions: Pair) -> None:
    job = begun(kubectl, versions)
    run_pod(kubectl, job)
    upgrade(versions)
    kubectl.apply(run(suspend=True))
    eventually(lambda: kubectl.get("job", job["metadata"]["name"])["spec"]["suspend"])
    kubectl.wait_condition(ER, "arithmetic", "Accepted", "True", "SpecValid")
    (found,) = jobs(kubectl)
    assert (found["metadata"]["uid"], image(found)) == (job["metadata"]["uid"], "harness:1")


def test_what_ended_between_the_two_is_scored(kubectl: Kubectl, versions: Pair) -> None:
    job = begun(kubectl, versions)
    versions[0].stop()
    end_pod(kubectl, job, 0, RESULT)
    end_job(kubectl, job)
    versions[1].start()
    kubectl.wait_condition(ER, "arithmetic", "Succeeded", "True", "AllScored")
    assert [found["metadata"]["uid"] for found in jobs(kubectl)] == [job["metadata"]["uid"]]


def test_a_job_that_has_not_begun_gets_the_new_image(kubectl: Kubectl, versions: Pair) -> None:
    begun(kubectl, versions)
    upgrade(versions)
    eventually(lambda: [image(job) for job in jobs(kubectl)] == ["harness:2"])
