"""The operator against the real apiserver; Jobs and Deployments are moved on by hand."""

import signal

import pytest
import yaml

from tests.apiserver.by_hand import ER, MD, end_job, end_pod, jobs, make_ready, started
from tests.examples import deployment, run
from tests.kube import Kubectl, Manifest, OperatorProcess, eventually

pytestmark = pytest.mark.apiserver
RESULT = (
    '{"results":[{"task":"arithmetic_mc","metric":"acc","value":"0.75","stderr":"0.03","n":200}]}'
)


def test_a_deployment_gets_its_children(kubectl: Kubectl, operator: OperatorProcess) -> None:
    kubectl.apply(deployment())
    child = eventually(lambda: kubectl.get("deployment", "arithmetic"))
    assert eventually(lambda: kubectl.get("service", "arithmetic"))
    assert child["metadata"]["ownerReferences"][0]["kind"] == "ModelDeployment"
    kubectl.wait_condition(MD, "arithmetic", "Ready", "False", "Starting")


def test_a_deleted_child_comes_back(kubectl: Kubectl, operator: OperatorProcess) -> None:
    kubectl.apply(deployment())
    first = eventually(lambda: kubectl.get("service", "arithmetic"))["metadata"]["uid"]
    kubectl("delete", "service", "arithmetic")
    again = eventually(lambda: kubectl.get("service", "arithmetic"))["metadata"]["uid"]
    assert again != first


def test_an_edited_child_is_put_right(kubectl: Kubectl, operator: OperatorProcess) -> None:
    kubectl.apply(deployment())
    eventually(lambda: kubectl.get("deployment", "arithmetic"))
    kubectl("scale", "deployment", "arithmetic", "--replicas=3")
    eventually(lambda: kubectl.get("deployment", "arithmetic")["spec"]["replicas"] == 1)


@pytest.mark.parametrize("label", ["app.kubernetes.io/managed-by", "proctor.dev/deployment"])
def test_a_child_gets_back_the_label_that_it_lost(
    kubectl: Kubectl, operator: OperatorProcess, label: str
) -> None:
    kubectl.apply(deployment())
    labels = eventually(lambda: kubectl.get("service", "arithmetic"))["metadata"]["labels"]
    kubectl("label", "service", "arithmetic", f"{label}-")
    eventually(lambda: kubectl.get("service", "arithmetic")["metadata"]["labels"] == labels)


def test_the_scale_subresource_scales(kubectl: Kubectl, operator: OperatorProcess) -> None:
    kubectl.apply(deployment())
    eventually(lambda: kubectl.get("deployment", "arithmetic"))
    kubectl("scale", MD, "arithmetic", "--replicas=2")
    eventually(lambda: kubectl.get("deployment", "arithmetic")["spec"]["replicas"] == 2)


def test_a_claim_takes_the_place_of_a_volume_of_a_deployment_that_exists(
    kubectl: Kubectl, operator: OperatorProcess
) -> None:
    """By client-side apply, which would drop an `emptyDir: null` that is in a list."""
    larger = {"name": "scratch", "persistentVolumeClaim": {"claimName": "large"}}

    def volumes() -> list[Manifest]:
        child = kubectl.get("deployment", "arithmetic")
        found: list[Manifest] = child["spec"]["template"]["spec"]["volumes"] if child else []
        return found

    kubectl("apply", "-f", "-", stdin=yaml.safe_dump(deployment()))
    eventually(volumes)
    kubectl("apply", "-f", "-", stdin=yaml.safe_dump(deployment(pod={"volumes": [larger]})))
    eventually(lambda: larger in volumes())


@pytest.mark.parametrize(
    ("overlay", "field"),
    [({"restartPolicy": "Sometimes"}, "restartPolicy"), ({"nodeSelecter": {}}, ".nodeSelecter")],
    ids=["value", "field"],
)
def test_a_refused_child_is_a_condition(
    kubectl: Kubectl, operator: OperatorProcess, overlay: Manifest, field: str
) -> None:
    kubectl.apply(deployment(pod=overlay))
    words = kubectl.wait_condition(MD, "arithmetic", "Accepted", "False", "ChildRejected")
    assert field in words
    kubectl.apply(deployment())
    kubectl.wait_condition(MD, "arithmetic", "Accepted", "True", "SpecValid")


def test_a_run_waits_for_its_deployment(kubectl: Kubectl, operator: OperatorProcess) -> None:
    kubectl.apply(run())
    words = kubectl.wait_condition(ER, "arithmetic", "TargetReady", "False", "DeploymentNotFound")
    assert "ModelDeployment arithmetic does not exist" in words
    kubectl.wait_condition(ER, "arithmetic", "Running", "False", "WaitingForTarget")
    kubectl.apply(deployment())
    kubectl.wait_condition(ER, "arithmetic", "TargetReady", "False", "DeploymentNotReady")
    assert not jobs(kubectl)
    make_ready(kubectl)
    kubectl.wait_condition(ER, "arithmetic", "TargetReady", "True", "TargetAnswers")
    assert started(kubectl)


def test_two_runs_share_a_deployment(kubectl: Kubectl, operator: OperatorProcess) -> None:
    kubectl.apply(deployment(), run("one"), run("two"))
    make_ready(kubectl)
    assert (
        started(kubectl, "one")["metadata"]["name"] != started(kubectl, "two")["metadata"]["name"]
    )


def test_scores_reach_the_status(kubectl: Kubectl, operator: OperatorProcess) -> None:
    kubectl.apply(deployment(), run())
    make_ready(kubectl)
    job = started(kubectl)
    end_pod(kubectl, job, 0, RESULT)
    end_job(kubectl, job)
    kubectl.wait_condition(ER, "arithmetic", "Succeeded", "True", "AllScored")
    kubectl.wait_condition(ER, "arithmetic", "GatePassed", "True", "WithinBounds")
    status = kubectl.get(ER, "arithmetic")["status"]
    assert status["score"] == "0.7500 ± 0.0300"
    assert status["evaluations"][0]["results"][0]["n"] == 200


def test_scores_outlive_job_deployment_and_operator(
    kubectl: Kubectl, operator: OperatorProcess
) -> None:
    kubectl.apply(deployment(), run())
    make_ready(kubectl)
    job = started(kubectl)
    end_pod(kubectl, job, 0, RESULT)
    end_job(kubectl, job)
    kubectl.wait_condition(ER, "arithmetic", "Succeeded", "True", "AllScored")
    before = kubectl.get(ER, "arithmetic")["status"]
    kubectl("delete", "job", job["metadata"]["name"], "--cascade=background")
    kubectl("delete", MD, "arithmetic")
    operator.stop()
    operator.start()
    # It comes to what is new after what is there.
    later = run()
    later["metadata"]["name"] = "later"
    kubectl.apply(later)
    kubectl.wait_condition(ER, "later", "TargetReady", "False", "DeploymentNotFound")
    assert kubectl.get(ER, "arithmetic")["status"] == before
    assert not jobs(kubectl)


@pytest.mark.parametrize("reason", ["UnknownTask", "HarnessFailed", "TargetUnreachable"])
def test_a_failure_is_told_not_scored(
    kubectl: Kubectl, operator: OperatorProcess, reason: str
) -> None:
    kubectl.apply(deployment(), run())
    make_ready(kubectl)
    job = started(kubectl)
    end_pod(kubectl, job, 64, f'{{"reason":"{reason}","message":"the words"}}')
    end_job(kubectl, job, failed=True)
    words = kubectl.wait_condition(ER, "arithmetic", "Succeeded", "False", reason)
    assert "the words" in words
    assert "results" not in kubectl.get(ER, "arithmetic")["status"]["evaluations"][0]


def test_a_changed_run_gets_a_new_job(kubectl: Kubectl, operator: OperatorProcess) -> None:
    kubectl.apply(deployment(), run())
    make_ready(kubectl)
    first = started(kubectl)["metadata"]["name"]
    changed = run()
    changed["spec"]["evaluations"][0]["params"]["limitSamples"] = 7
    kubectl.apply(changed)
    eventually(lambda: [j["metadata"]["name"] for j in jobs(kubectl)] not in ([], [first]))
    eventually(lambda: first not in [j["metadata"]["name"] for j in jobs(kubectl)])
    kubectl.wait_condition(ER, "arithmetic", "Accepted", "True", "SpecValid")


def test_deleting_the_deployment_ends_the_job(kubectl: Kubectl, operator: OperatorProcess) -> None:
    kubectl.apply(deployment(), run())
    make_ready(kubectl)
    started(kubectl)
    kubectl("delete", MD, "arithmetic")
    kubectl.wait_condition(ER, "arithmetic", "TargetReady", "False", "DeploymentNotFound")
    eventually(lambda: not jobs(kubectl))
    assert kubectl.condition(ER, "arithmetic", "Succeeded")["status"] == "Unknown"


def test_a_run_may_keep_its_files_in_a_bucket(kubectl: Kubectl, operator: OperatorProcess) -> None:
    bucket = {"uri": "s3://results/nightly", "secretRef": {"name": "results"}}
    kubectl.apply(deployment(), run(artifacts={"s3": bucket}))
    make_ready(kubectl)
    template = started(kubectl)["spec"]["template"]["spec"]
    assert {"resume", "keep"} <= {each["name"] for each in template["initContainers"]}
    kubectl.wait_condition(ER, "arithmetic", "Accepted", "True", "SpecValid")


def test_suspend_holds_the_job(kubectl: Kubectl, operator: OperatorProcess) -> None:
    kubectl.apply(deployment(), run())
    make_ready(kubectl)
    name = started(kubectl)["metadata"]["name"]
    kubectl.apply(run(suspend=True))
    eventually(lambda: kubectl.get("job", name)["spec"]["suspend"])
    kubectl.wait_condition(ER, "arithmetic", "Running", "False", "Suspended")


def test_a_killed_operator_goes_on_with_the_same_job(
    kubectl: Kubectl, operator: OperatorProcess
) -> None:
    kubectl.apply(deployment(), run())
    make_ready(kubectl)
    job = started(kubectl)
    operator.stop(signal.SIGKILL)
    end_pod(kubectl, job, 0, RESULT)
    end_job(kubectl, job)
    operator.start()
    kubectl.wait_condition(ER, "arithmetic", "Succeeded", "True", "AllScored")
    assert [j["metadata"]["uid"] for j in jobs(kubectl)] == [job["metadata"]["uid"]]


def test_a_restart_writes_nothing(kubectl: Kubectl, operator: OperatorProcess) -> None:
    kubectl.apply(deployment(), run())
    make_ready(kubectl)
    started(kubectl)
    kubectl.wait_condition(ER, "arithmetic", "Running", "True", "JobsRunning")

    def versions() -> list[str]:
        objects = [kubectl.get(MD, "arithmetic"), kubectl.get(ER, "arithmetic"), *jobs(kubectl)]
        return [o["metadata"]["resourceVersion"] for o in objects if o]

    before = versions()
    operator.stop()
    operator.start()
    kubectl("annotate", ER, "arithmetic", "look=again")
    eventually(lambda: versions() != before)
    assert versions()[0] == before[0]
    assert versions()[2:] == before[2:]


def test_transitions_are_events(kubectl: Kubectl, operator: OperatorProcess) -> None:
    kubectl.apply(run())
    told = ("get", "events", "--field-selector", "involvedObject.kind=EvaluationRun")
    eventually(lambda: "DeploymentNotFound" in kubectl(*told))
    assert "DeploymentNotFound" in kubectl("describe", ER, "arithmetic")
