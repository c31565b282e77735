"""Two files, `kubectl apply`, and the scores of lm-eval's own in-process `hf`."""

import pytest
import yaml

from tests.examples import deployment, run
from tests.kube import LONG_SECONDS, Kubectl
from tests.reference import assert_scores_are_the_reference

pytestmark = pytest.mark.e2e
MD, ER = "modeldeployment", "evaluationrun"


@pytest.fixture(scope="module")
def scored(kubectl: Kubectl) -> Kubectl:
    """kubectl where the example's run, applied before its deployment, came to its scores."""
    kubectl.apply(run("main", target={"deploymentRef": {"name": "main"}}))
    words = kubectl.wait_condition(ER, "main", "TargetReady", "False", "DeploymentNotFound")
    assert "starts when it appears" in words
    kubectl.apply(deployment("main"))
    kubectl.wait_condition(ER, "main", "Succeeded", "True", "AllScored", LONG_SECONDS)
    return kubectl


def test_the_scores_are_the_reference(scored: Kubectl) -> None:
    found = scored.get(ER, "main")
    assert found
    assert_scores_are_the_reference(found)
    assert scored.condition(ER, "main", "GatePassed")["status"] == "True"


def test_the_scores_tell_what_they_come_from(scored: Kubectl) -> None:
    origin = (scored.get(ER, "main") or {})["status"]["evaluations"][0]["provenance"]
    assert origin["servedModel"] == "arithmetic"
    assert origin["checkpointDigest"].startswith("sha256:")
    assert "sha256:" in origin["runtimeImage"]


def test_get_shows_both_at_a_glance(scored: Kubectl) -> None:
    lines = scored("get", "md/main", "er/main").splitlines()
    columns = [line.split() for line in lines if line]
    assert columns[0][1:5] == ["MODEL", "READY", "REASON", "ENDPOINT"]
    assert columns[1][1:4] == ["arithmetic", "True", "AllReplicasReady"]
    assert columns[1][4] == f"http://main.{scored.namespace}.svc:8080/v1"
    assert columns[2][1:6] == ["TARGET", "PROGRESS", "SUCCEEDED", "SCORE", "GATE"]
    assert columns[3][1:4] == ["main", "1200/1200", "True"]


def test_describe_tells_the_story(scored: Kubectl) -> None:
    described = scored("describe", ER, "main")
    for reason in ("DeploymentNotFound", "TargetAnswers", "JobsRunning", "AllScored"):
        assert reason in described


def test_no_pod_has_a_token_or_root(scored: Kubectl) -> None:
    pods = scored.list("pods", "app.kubernetes.io/managed-by=proctor")
    assert pods
    for pod in pods:
        assert "kube-api-access" not in yaml.safe_dump(pod["spec"])
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True


def test_two_runs_share_a_deployment(scored: Kubectl) -> None:
    few = run()["spec"]["evaluations"]
    few[0]["params"]["limitSamples"] = 20
    target = {"deploymentRef": {"name": "main"}}
    scored.apply(*(run(n, target=target, evaluations=few, gate=None) for n in ("one", "two")))
    scores = []
    for name in ("one", "two"):
        scored.wait_condition(ER, name, "Succeeded", "True", "AllScored", LONG_SECONDS)
        scores.append((scored.get(ER, name) or {})["status"]["evaluations"][0]["results"])
    assert scores[0] == scores[1]
    assert {record["n"] for record in scores[0]} == {20}
