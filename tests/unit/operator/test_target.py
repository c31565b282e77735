"""The target of a run."""

from typing import Any

import pytest

from proctor_crds.reasons import Reason
from proctor_operator.children.naming import digest
from proctor_operator.cluster import Manifest
from proctor_operator.target import ObservedTarget, base_url, of_deployment, with_judges
from tests.builders import MODEL, deployment_manifest

URL = "http://demo.team.svc:8080"


def ready(status: str = "True", generation: int = 1) -> Manifest:
    """The status of a deployment."""
    condition = {"type": "Ready", "status": status, "reason": "Starting", "message": "0 of 1"}
    return {"observedGeneration": generation, "conditions": [condition]}


def observed(**fields: Any) -> ObservedTarget:
    """What a deployment with these fields amounts to."""
    return of_deployment("demo", deployment_manifest(**fields), URL)


def identity(**fields: Any) -> str:
    """What stands for all that scores depend on."""
    upstream = observed(**fields).upstream
    assert upstream
    return upstream.identity


def test_a_ready_deployment_answers() -> None:
    found = observed(status=ready())
    assert found.ready
    assert found.condition.reason == Reason.TARGET_ANSWERS
    assert found.upstream
    assert (found.upstream.url, found.upstream.model) == (URL, "tiny")


@pytest.mark.parametrize("end", ["", "/", "/v1", "/v1/"])
def test_an_endpoint_is_the_same_with_v1_and_without(end: str) -> None:
    assert base_url(f"https://api.example/openai{end}") == "https://api.example/openai"
    assert base_url(f"http://v1{end}") == "http://v1"


def test_a_deployment_that_does_not_exist_is_waited_for() -> None:
    found = of_deployment("demo", None, URL)
    assert found.condition.reason == Reason.DEPLOYMENT_NOT_FOUND
    assert not found.ready
    assert found.upstream is None


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ({}, "is being looked at"),
        (ready(generation=0), "is being looked at"),
        ({"observedGeneration": 1, "conditions": []}, "is being looked at"),
        (ready("False"), "is not Ready: Starting: 0 of 1"),
        (ready("Unknown"), "is not Ready: Starting: 0 of 1"),
    ],
    ids=["new", "changed", "unjudged", "not ready", "unknown"],
)
def test_a_deployment_that_is_not_ready_is_waited_for(status: Manifest, words: str) -> None:
    found = observed(status=status)
    assert found.condition.reason == Reason.DEPLOYMENT_NOT_READY
    assert words in found.condition.message
    assert found.upstream


def test_a_deployment_that_cannot_be_read_says_so_in_its_own_words() -> None:
    refused = {"type": "Accepted", "status": "False", "reason": "SpecInvalid", "message": "no"}
    found = observed(status={"observedGeneration": 1, "conditions": [refused]})
    assert not found.ready
    assert found.condition.message == "ModelDeployment demo is not Accepted: SpecInvalid: no"


@pytest.mark.parametrize(
    "spec",
    [None, {}, {"model": None}, {"model": {"servedName": 3}}, {"model": "tiny"}],
    ids=repr,
)
def test_a_deployment_of_another_crd_is_waited_for(spec: Any) -> None:
    found = of_deployment("demo", deployment_manifest() | {"spec": spec}, URL)
    assert found.condition.reason == Reason.DEPLOYMENT_NOT_READY
    assert "has no spec.model.servedName: apply it anew" in found.condition.message
    assert found.upstream is None


@pytest.mark.parametrize("engine", [None, {}, {"maxSequenceLength": "long"}], ids=repr)
def test_a_deployment_without_an_engine_s_length_leaves_it_to_the_server(engine: Any) -> None:
    upstream = observed(engine=engine).upstream
    assert upstream
    assert upstream.context_length is None


@pytest.mark.parametrize(
    "change",
    [
        {"replicas": 3},
        {"pod": {"nodeSelector": {"a": "b"}}},
        {"status": ready()},
        {"generation": 7},
    ],
    ids=str,
)
def test_what_scores_do_not_depend_on_leaves_the_identity(change: Any) -> None:
    assert identity(**change) == identity()


@pytest.mark.parametrize(
    "change",
    [
        {"model": MODEL | {"servedName": "other"}},
        {"engine": {"dtype": "float32"}},
        {"parallelism": {"tensor": 2}},
        {"backend": {"triton": {"image": "other"}}},
    ],
    ids=str,
)
def test_what_scores_depend_on_changes_the_identity(change: Any) -> None:
    assert identity(**change) != identity()


@pytest.mark.parametrize("stored", [None, {}, {"maxQueuedRequests": 9}], ids=str)
def test_a_field_that_came_later_changes_no_identity_by_being_unset(stored: Any) -> None:
    found = deployment_manifest()
    if stored is not None:
        found["spec"]["api"] = stored
    upstream = of_deployment("demo", found, URL).upstream
    assert upstream
    before = {key: found["spec"].get(key) for key in ("model", "backend", "parallelism", "engine")}
    assert upstream.identity == digest(before)


@pytest.mark.parametrize("api", [{"toolCallParser": "hermes"}, {"reasoningParser": "think"}])
def test_how_answers_are_read_changes_the_identity(api: Any) -> None:
    assert identity(api=api) != identity()


def test_nobody_is_asked_before_the_judges_answer() -> None:
    waiting = of_deployment("guard", deployment_manifest("guard", status=ready("False")), URL)
    found = with_judges(observed(status=ready()), {"guard": waiting})
    assert not found.ready
    assert "ModelDeployment guard is not Ready" in found.condition.message
    assert found.upstream
    assert found.upstream.judges == {"guard": waiting.upstream}


def test_a_judge_that_does_not_exist_is_waited_for() -> None:
    found = with_judges(observed(status=ready()), {"guard": of_deployment("guard", None, URL)})
    assert found.condition.reason == Reason.DEPLOYMENT_NOT_FOUND
    assert found.upstream is None


def test_the_target_speaks_first() -> None:
    judge = of_deployment("guard", None, URL)
    found = with_judges(observed(status=ready("False")), {"guard": judge})
    assert found.condition == observed(status=ready("False")).condition


def test_with_every_judge_ready_the_target_is() -> None:
    judge = of_deployment("guard", deployment_manifest("guard", status=ready()), URL)
    found = with_judges(observed(status=ready()), {"guard": judge})
    assert found.ready
    assert found.condition == observed(status=ready()).condition
