"""Which resources an event concerns."""

from collections.abc import Callable

import pytest

from proctor_operator.cluster import Manifest
from proctor_operator.routing import Key, Router
from tests.builders import (
    EVALUATION,
    STAMP,
    deployment_manifest,
    make_deployment,
    make_pod,
    run_manifest,
)

DEMO = Key("ModelDeployment", "team", "demo")
RUN = Key("EvaluationRun", "team", "run")


@pytest.fixture
def router() -> Router:
    return Router()


def test_a_run_concerns_itself(router: Router) -> None:
    assert router.keys(run_manifest()) == {RUN}


def test_a_deployment_concerns_itself_and_the_runs_that_wait_for_it(router: Router) -> None:
    router.keys(run_manifest())
    router.keys(run_manifest("other"))
    others = {RUN, Key("EvaluationRun", "team", "other")}
    assert router.keys(deployment_manifest()) == {DEMO} | others


def test_a_deployment_of_another_namespace_does_not_concern_a_run(router: Router) -> None:
    router.keys(run_manifest())
    elsewhere = deployment_manifest()
    elsewhere["metadata"]["namespace"] = "else"
    assert router.keys(elsewhere) == {Key("ModelDeployment", "else", "demo")}


def test_a_run_that_changes_its_target_leaves_the_old_one(router: Router) -> None:
    router.keys(run_manifest())
    router.keys(run_manifest(target={"deploymentRef": {"name": "new"}}))
    assert router.keys(deployment_manifest()) == {DEMO}
    assert RUN in router.keys(deployment_manifest("new"))


def test_a_run_that_ends_is_forgotten(router: Router) -> None:
    router.keys(run_manifest())
    dying = run_manifest()
    dying["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    router.keys(dying)
    assert router.keys(deployment_manifest()) == {DEMO}


def finished_run(generation: int = 1) -> Manifest:
    """`run`, whose spec of generation 1 has its scores."""
    status = {"observedGeneration": 1, "completionTime": STAMP}
    return run_manifest(generation=generation, status=status)


def test_a_finished_run_waits_for_nothing(router: Router) -> None:
    router.keys(run_manifest())
    router.keys(finished_run())
    assert router.keys(deployment_manifest()) == {DEMO}


def test_a_finished_run_that_is_changed_may_need_its_target_again(router: Router) -> None:
    router.keys(finished_run())
    assert router.keys(finished_run(generation=2)) == {RUN}
    assert router.keys(deployment_manifest()) == {DEMO, RUN}


@pytest.mark.parametrize("make", [run_manifest, deployment_manifest], ids=["run", "deployment"])
def test_a_status_alone_is_no_reason_to_look_at_who_has_it(
    router: Router, make: Callable[..., Manifest]
) -> None:
    key = Key.of(make())
    assert router.keys(make()) == {key}
    assert router.keys(make(status={"conditions": []})) == set()
    assert router.keys(make(generation=2)) == {key}
    anew = make(generation=2)
    anew["metadata"]["uid"] = "new"
    assert router.keys(anew) == {key}
    assert router.keys_of_deleted(anew) == {key}
    assert router.keys(anew) == {key}


def test_a_deployment_s_status_concerns_the_runs_that_wait_for_it(router: Router) -> None:
    router.keys(run_manifest())
    router.keys(deployment_manifest())
    assert router.keys(deployment_manifest(status={"conditions": []})) == {RUN}


def test_a_run_that_is_gone_is_looked_at_once_more_and_leaves_nothing(router: Router) -> None:
    router.keys(run_manifest())
    router.keys(run_manifest("other"))
    # Deleted in the background, it never had a deletionTimestamp.
    assert router.keys_of_deleted(run_manifest()) == {RUN}
    other = Key("EvaluationRun", "team", "other")
    assert router.keys(deployment_manifest()) == {DEMO, other}
    router.keys_of_deleted(run_manifest("other"))
    router.keys_of_deleted(deployment_manifest())
    assert router == Router()


def test_a_deployment_that_is_gone_concerns_the_runs_that_wait_for_it(router: Router) -> None:
    router.keys(run_manifest())
    assert router.keys_of_deleted(deployment_manifest()) == {DEMO, RUN}
    assert router.keys(deployment_manifest()) == {DEMO, RUN}


@pytest.mark.parametrize(
    "run",
    [
        run_manifest(target={"endpoint": {"url": "http://x", "model": "m"}}),
        run_manifest(target={}),
        run_manifest() | {"spec": None},
    ],
    ids=["endpoint", "nothing", "no spec"],
)
def test_a_run_without_a_deployment_waits_for_none(router: Router, run: Manifest) -> None:
    assert router.keys(run) == {RUN}
    assert router.keys(deployment_manifest()) == {DEMO}


def test_a_child_concerns_whom_its_labels_name(router: Router) -> None:
    assert router.keys(make_pod(labels={"proctor.dev/deployment": "demo"})) == {DEMO}
    assert router.keys(make_pod(labels={"proctor.dev/run": "run", "x": "y"})) == {RUN}


def test_a_child_without_its_labels_concerns_its_owner() -> None:
    router, owner = Router(), make_deployment().owner_reference
    assert router.keys(make_pod(ownerReferences=[owner])) == {DEMO}
    labelled = make_pod(labels={"proctor.dev/deployment": "demo"}, ownerReferences=[owner])
    assert router.keys(labelled) == {DEMO}
    assert router.keys(make_pod(job="job")) == set()


def test_what_carries_no_label_concerns_nobody(router: Router) -> None:
    stranger = make_pod()
    stranger["metadata"]["labels"] = None
    assert router.keys(stranger) == set()


def test_a_run_waits_for_its_judges_too(router: Router) -> None:
    judged = EVALUATION | {"harness": "safety-harness", "judgeRef": {"name": "guard"}}
    router.keys(run_manifest(evaluations=[EVALUATION, judged]))
    assert RUN in router.keys(deployment_manifest("guard"))
    assert RUN in router.keys(deployment_manifest("demo"))
    router.keys_of_deleted(run_manifest(evaluations=[EVALUATION, judged]))
    assert router.runs_of == {}
