"""What a ModelDeployment's children and pods amount to."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from proctor_crds.model_deployment import ModelDeploymentSpec, ModelDeploymentStatus
from proctor_operator.children import serving
from proctor_operator.cluster import Manifest
from proctor_operator.deployments import (
    Observed,
    desire,
    effective_engine,
    endpoints,
    judge,
    next_look,
    template_of,
    text,
)
from proctor_operator.settings import Settings
from proctor_operator.status import Condition
from tests import virtual_time
from tests.builders import MODEL, NOW, deployment_manifest, ended, make_deployment, make_pod
from tests.memory_cluster import Memory

DAY = timedelta(days=1)
SETTINGS = Settings()
URL = "http://demo.team.svc:8080"
URLS = {"http": URL, "triton-http": "http://demo.team.svc:8000", "triton-grpc": "http://unused"}
ENGINE = {"servedModelName": "tiny", "checkpointDigest": "sha256:1", "tensorParallel": 1, "x": True}


def child(wanted: int = 1, **counts: int) -> Manifest:
    """The Deployment of `demo` as the apiserver has it, with its controller's counts."""
    made = serving.deployment(make_deployment(replicas=wanted), SETTINGS)
    made["metadata"] |= {"generation": 1}
    return made | {"status": {"observedGeneration": 1} | counts}


def ready_child(count: int, wanted: int | None = None) -> Manifest:
    """The same with `count` pods that are ready and up to date."""
    return child(
        count if wanted is None else wanted,
        replicas=count,
        readyReplicas=count,
        updatedReplicas=count,
    )


def judged(
    child: Manifest | None, *pods: Manifest, engine: Any = None, **fields: Any
) -> tuple[dict[str, Condition], Manifest]:
    """Conditions by type, and the fields of the status."""
    observed = Observed([child] if child else [], pods, engine or {}, URLS)
    conditions, status = judge(make_deployment(**fields), observed, SETTINGS)
    return {str(c.type): c for c in conditions}, status


def truths(child: Manifest | None, *pods: Manifest, **fields: Any) -> dict[str, tuple[str, str]]:
    """Status and reason of each condition."""
    found, _ = judged(child, *pods, **fields)
    return {kind: (c.status, str(c.reason)) for kind, c in found.items()}


CASES: dict[str, tuple[Manifest | None, dict[str, Any], str, str, str, str]] = {
    "before its Deployment": (None, {}, "True", "False", "False", "Starting"),
    "while the model loads": (child(), {}, "True", "False", "False", "Starting"),
    "when all is there": (ready_child(1), {}, "False", "True", "True", "AllReplicasReady"),
    "while it grows": (ready_child(1), {"replicas": 2}, "True", "True", "False", "RollingOut"),
    "while it shrinks": (ready_child(2), {"replicas": 1}, "True", "True", "False", "RollingOut"),
    "scaled to zero": (
        child(0, replicas=0),
        {"replicas": 0},
        "False",
        "False",
        "False",
        "ScaledToZero",
    ),
}


@pytest.mark.parametrize(
    ("child", "fields", "progressing", "available", "ready", "reason"), CASES.values(), ids=CASES
)
def test_conditions(
    child: Manifest | None,
    fields: Any,
    progressing: str,
    available: str,
    ready: str,
    reason: str,
) -> None:
    found = truths(child, **fields)
    assert found["Progressing"] == (progressing, reason)
    assert found["Available"][0] == available
    assert found["Ready"] == (ready, reason)


@pytest.mark.parametrize(
    ("seen", "message"),
    [
        (ready_child(2, wanted=0), "replicas is 0; the last pods are ending"),
        (child(0, replicas=1), "replicas is 0; the last pods are ending"),
        (child(0), "replicas is 0"),
    ],
    ids=["serving", "ending", "gone"],
)
def test_scaling_to_zero_is_not_loading(seen: Manifest, message: str) -> None:
    found, _ = judged(seen, replicas=0)
    assert (found["Ready"].reason, found["Ready"].message) == ("ScaledToZero", message)
    assert found["Progressing"].status == ("False" if message == "replicas is 0" else "True")


def test_pods_that_the_cluster_refuses_are_not_loading() -> None:
    words = "pods is forbidden: exceeded quota: gpus"
    refused = {"type": "ReplicaFailure", "status": "True", "message": words}
    seen = child()
    seen["status"] |= {"conditions": [{"type": "Available", "status": "False"}, refused]}
    found, _ = judged(seen)
    assert (found["Ready"].reason, found["Ready"].message) == ("ChildRejected", words)
    assert truths(ready_child(1))["Ready"] == ("True", "AllReplicasReady")


def test_a_deployment_that_its_controller_has_not_seen_is_not_ready() -> None:
    stale = ready_child(1)
    stale["metadata"]["generation"] = 2
    assert truths(stale)["Ready"] == ("False", "RollingOut")


def test_pods_of_the_spec_before_do_not_make_the_new_spec_ready() -> None:
    # Observed before the change was applied: its pods answer, with the old model.
    found = truths(ready_child(1), generation=2, model=other_model())
    assert found["Ready"] == ("False", "RollingOut")
    assert found["Available"][0] == "True"


def other_model() -> Manifest:
    """Another checkpoint."""
    return MODEL | {"source": {"pvc": {"claimName": "models", "path": "other"}}}


def test_trouble_of_a_pod_is_the_reason() -> None:
    labels = child()["spec"]["template"]["metadata"]["labels"]
    pod = make_pod("p", labels=labels, containers=[ended("server", 1)])
    assert truths(child(), pod)["Ready"] == ("False", "RuntimeCrashed")


def test_what_a_server_says_is_cut_to_what_the_status_holds() -> None:
    engine = {f"key{n:03}": "x" * 2000 for n in range(100)} | {"servedModelName": "y" * 300}
    _, status = judged(ready_child(1), engine=engine)
    assert "servedModel" not in status
    assert len(status["engine"]) == 64
    assert {len(value) for value in status["engine"].values()} == {1024}
    ModelDeploymentStatus.model_validate(status)
    _, status = judged(ready_child(1), engine={"servedModelName": "y" * 300})
    assert ModelDeploymentStatus.model_validate(status).served_model == "y" * 253


def test_a_pod_that_was_evicted_and_replaced_is_no_trouble() -> None:
    labels = child()["spec"]["template"]["metadata"]["labels"]
    gone = make_pod("gone", phase="Failed", labels=labels, containers=[ended("server", 137)])
    assert truths(child(), gone, make_pod("new", labels=labels))["Ready"] == ("False", "Starting")


def test_some_ready_replicas_are_available_and_the_trouble_is_told_by_ready() -> None:
    labels = child()["spec"]["template"]["metadata"]["labels"]
    pod = make_pod("p", labels=labels, containers=[ended("server", 1)])
    found = truths(ready_child(1, wanted=2), pod, replicas=2)
    assert found["Available"] == ("True", "SomeReplicasReady")
    assert found["Ready"] == ("False", "RuntimeCrashed")


def test_the_status_tells_counts_selector_and_endpoint() -> None:
    _, status = judged(ready_child(1))
    assert status == {
        "replicas": 1,
        "readyReplicas": 1,
        "selector": "proctor.dev/deployment=demo",
        "endpoints": {"openai": f"{URL}/v1", "triton": "http://demo.team.svc:8000"},
    }


def test_the_status_tells_what_the_server_says_of_itself() -> None:
    running = {"name": "server", "imageID": "runtime@sha256:2"}
    _, status = judged(ready_child(1), make_pod(ready=True, containers=[running]), engine=ENGINE)
    assert status["servedModel"] == "tiny"
    assert status["checkpointDigest"] == "sha256:1"
    assert status["imageDigest"] == "runtime@sha256:2"
    assert status["engine"]["tensorParallel"] == "1"
    assert status["engine"]["x"] == "true"


def test_no_other_backend_has_an_endpoint_of_triton() -> None:
    vllm = ModelDeploymentSpec.model_validate(deployment_manifest()["spec"] | {"backend": {}})
    assert endpoints(vllm, URLS) == {"openai": f"{URL}/v1"}


def template() -> str:
    """The hash of the template of `demo`."""
    found = template_of(child())
    assert found
    return found


def test_what_the_server_said_is_kept_while_it_is_silent() -> None:
    _, said = judged(ready_child(1), make_pod(ready=True), engine=ENGINE)
    _, status = judged(child(), status=said)
    assert status == said | {"readyReplicas": 0, "replicas": 0}
    assert status["template"] == template()


def test_what_a_server_of_another_template_said_is_not_kept() -> None:
    before = {"template": "other", "servedModel": "tiny", "checkpointDigest": "sha256:1"}
    for made in (child(), ready_child(1), None):
        _, status = judged(made, status=before)
        assert {"template", "servedModel", "checkpointDigest"}.isdisjoint(status)


def test_what_a_server_of_the_spec_before_says_is_not_heard() -> None:
    pod = make_pod(ready=True)
    _, status = judged(ready_child(1), pod, engine=ENGINE, generation=2, model=other_model())
    assert "servedModel" not in status


@pytest.mark.parametrize(
    ("pods", "engine", "seconds"),
    [([make_pod(ready=True)], {}, 5), ([make_pod(ready=True)], ENGINE, None), ([], {}, None)],
    ids=["silent", "told", "not ready"],
)
def test_a_ready_server_that_said_nothing_is_asked_again(
    pods: list[Manifest], engine: Manifest, seconds: int | None
) -> None:
    found = next_look(Observed([child()], pods, engine, URLS), SETTINGS, NOW)
    assert found == (timedelta(seconds=seconds) if seconds else None)


@pytest.mark.parametrize(("silent", "pause"), [(0, 5), (7, 7), (59, 59), (3600, 60)])
def test_the_longer_a_server_is_silent_the_less_often_it_is_asked(silent: int, pause: int) -> None:
    seen = Observed([child()], [make_pod(ready=True)], {}, URLS)
    now = NOW + timedelta(seconds=silent)
    assert next_look(seen, SETTINGS, now) == timedelta(seconds=pause)


class Slow(Memory):
    """A cluster from which no pod can be reached, but the one named `answering`."""

    answering = ""
    asked = 0

    async def get_json(self, pod: Manifest, port: str, path: str) -> Any | None:
        self.asked += 1
        if pod["metadata"]["name"] == self.answering:
            return {"of": self.answering}
        await asyncio.sleep(5)
        return await super().get_json(pod, port, path)


def asked(answering: str) -> tuple[Manifest, float, int]:
    """The answer of 100 ready pods, p99 the newest; after how many seconds, and how many asked."""

    async def scene() -> tuple[Manifest, float, int]:
        cluster, begun = Slow(), asyncio.get_running_loop().time()
        cluster.answering = answering
        pods = [make_pod(f"p{n}", ready=True, created=str(NOW + n * DAY)) for n in range(100)]
        answer = await effective_engine(pods, cluster)
        return answer, asyncio.get_running_loop().time() - begun, cluster.asked

    return virtual_time.run(scene())


def test_pods_out_of_reach_cost_one_timeout_in_all() -> None:
    assert asked(answering="") == ({}, 5, 2)


def test_one_pod_out_of_reach_does_not_silence_the_next() -> None:
    assert asked(answering="p98") == ({"of": "p98"}, 5, 2)


def test_the_children_are_desired() -> None:
    owner = make_deployment()
    assert desire(owner, SETTINGS).apply == serving.children(owner, SETTINGS)


@pytest.mark.parametrize(("value", "shown"), [(1, "1"), (True, "true"), ("a", "a")], ids=str)
def test_scalars_are_shown_as_json_shows_them(value: Any, shown: str) -> None:
    assert text(value) == shown
