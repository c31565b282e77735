"""Things that happen while a run is under way."""

import pytest

from demo import cluster as demo
from tests.e2e.processes import container_processes, kill
from tests.examples import deployment, run
from tests.kube import LONG_SECONDS, Kubectl, Manifest, eventually
from tests.provider import binary
from tests.reference import assert_scores_are_the_reference

pytestmark = pytest.mark.e2e
MD, ER = "modeldeployment", "evaluationrun"
OPERATOR = "app.kubernetes.io/name=proctor"


def slow_run(name: str, target: str = "arithmetic") -> Manifest:
    """A run that asks one question after the other."""
    manifest = run(name, target={"deploymentRef": {"name": target}})
    manifest["spec"]["evaluations"][0]["params"]["parallelism"] = 1
    return manifest


def half_way(kubectl: Kubectl, name: str) -> None:
    """Wait until the run has some answers and wants others."""

    def so() -> bool:
        status = (kubectl.get(ER, name) or {}).get("status", {})
        done, _, total = status.get("progress", "0/?").partition("/")
        return int(done) > 0 and done != total

    eventually(so, LONG_SECONDS)


def jobs_and_pods(kubectl: Kubectl, name: str) -> list[Manifest]:
    """What the cluster holds of the run."""
    label = f"proctor.dev/run={name}"
    return [*kubectl.list("jobs", label), *kubectl.list("pods", label)]


def test_deleting_a_run_leaves_nothing(served: Kubectl) -> None:
    served.apply(slow_run("deleted"))
    half_way(served, "deleted")
    served("delete", ER, "deleted")
    eventually(lambda: not jobs_and_pods(served, "deleted"), LONG_SECONDS)


def test_a_run_outlives_the_deletion_of_its_deployment(served: Kubectl) -> None:
    served.apply(deployment("passing"), slow_run("orphan", "passing"))
    half_way_after_loading(served)
    served("delete", MD, "passing")
    missing = ("TargetReady", "False", "DeploymentNotFound")
    served.wait_condition(ER, "orphan", *missing, LONG_SECONDS)
    eventually(lambda: not jobs_and_pods(served, "orphan"), LONG_SECONDS)
    assert served.condition(ER, "orphan", "Succeeded")["status"] == "Unknown"
    served.apply(deployment("passing"))
    served.wait_condition(ER, "orphan", "Succeeded", "True", "AllScored", LONG_SECONDS)
    found = served.get(ER, "orphan")
    assert found
    assert_scores_are_the_reference(found)
    served("delete", MD, "passing", "--wait=false")


def half_way_after_loading(kubectl: Kubectl) -> None:
    """The same for a run whose deployment starts with it."""
    ready = ("Ready", "True", "AllReplicasReady")
    kubectl.wait_condition(MD, "passing", *ready, LONG_SECONDS)
    half_way(kubectl, "orphan")


@pytest.mark.ends_the_operator
def test_a_killed_operator_ends_at_the_same_place(served: Kubectl) -> None:
    system = Kubectl(binary("kubectl"), served.kubeconfig, demo.SYSTEM)
    served.apply(slow_run("survivor"))
    half_way(served, "survivor")
    (before,) = served.list("jobs", "proctor.dev/run=survivor")
    pods, earlier = system.list("pods", OPERATOR), restarts(system)
    for pod in pods:
        kill(container_processes(pod, "proctor_operator"))
    eventually(lambda: restarts(system) == earlier + len(pods), LONG_SECONDS)
    served.wait_condition(ER, "survivor", "Succeeded", "True", "AllScored", LONG_SECONDS)
    found = served.get(ER, "survivor")
    assert found
    assert_scores_are_the_reference(found)
    (after,) = served.list("jobs", "proctor.dev/run=survivor")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]


def restarts(system: Kubectl) -> int:
    """How often the operator's running containers were started anew, all told."""
    states = [pod["status"]["containerStatuses"][0] for pod in system.list("pods", OPERATOR)]
    return sum(state["restartCount"] for state in states if "running" in state["state"])
