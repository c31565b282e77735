"""The Job of an evaluation, beyond what the golden files pin."""

import json
from dataclasses import replace
from typing import Any

import pytest

from proctor_crds.common import SecretKeyRef
from proctor_crds.wire import EXIT_REJECTED, LEFT_TO_THE_ADAPTER, RunSpec
from proctor_operator.children.evaluation_job import job
from proctor_operator.children.naming import below
from proctor_operator.children.upstream import Upstream
from proctor_operator.cluster import Manifest
from proctor_operator.settings import Settings
from tests.builders import EVALUATION, make_run

UPSTREAM = Upstream("http://demo.team.svc:8080", "tiny", "abc")
KEY = SecretKeyRef(name="secret", key="token")
PVC = {"pvc": {"claimName": "files", "path": "./tasks/"}}


def made(upstream: Upstream = UPSTREAM, run: Any = None, **evaluation: Any) -> Manifest:
    """The Job of a run's only evaluation."""
    owner = make_run(evaluations=[EVALUATION | evaluation], **(run or {}))
    return job(owner, owner.spec.evaluations[0], upstream, Settings())


def pod(manifest: Manifest) -> Manifest:
    """The pod's spec."""
    spec: Manifest = manifest["spec"]["template"]["spec"]
    return spec


def environment(container: Manifest) -> dict[str, Any]:
    """A container's plain variables."""
    return {e["name"]: e.get("value", e.get("valueFrom")) for e in container["env"]}


def harness(manifest: Manifest) -> Manifest:
    """The container that asks."""
    found: Manifest = pod(manifest)["containers"][0]
    return found


def adapter(manifest: Manifest) -> Manifest:
    """The sidecar that forwards."""
    found: Manifest = pod(manifest)["initContainers"][0]
    return found


def name(manifest: Manifest) -> str:
    """Its name."""
    found: str = manifest["metadata"]["name"]
    return found


CHANGES: dict[str, dict[str, Any]] = {
    "tasks": {"tasks": ["other"]},
    "params": {"params": {"fewShot": 3}},
    "datasets": {"datasets": PVC},
    "endpoint type": {"endpointType": "chat"},
    "another model": {"upstream": Upstream(UPSTREAM.url, "tiny", "abd")},
    "another url": {"upstream": Upstream("http://else", "tiny", "abc")},
    "a key": {"upstream": Upstream(UPSTREAM.url, "tiny", "abc", api_key=KEY)},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_scores_depend_on_names_the_job(change: dict[str, Any]) -> None:
    assert name(made(**change)) != name(made())


@pytest.mark.parametrize(
    "run", [{"suspend": True}, {"ttlSecondsAfterFinished": 5}, {"generation": 9}], ids=str
)
def test_what_scores_do_not_depend_on_does_not(run: dict[str, Any]) -> None:
    assert name(made(run=run)) == name(made())


def test_a_job_in_a_queue_is_made_suspended_and_of_another_queue_another() -> None:
    queued, elsewhere = made(run={"queueName": "team"}), made(run={"queueName": "other"})
    assert queued["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team"
    assert queued["spec"]["suspend"] is True
    assert made()["spec"]["suspend"] is False
    assert len({name(made()), name(queued), name(elsewhere)}) == 3
    asked = {job["metadata"]["annotations"]["proctor.dev/asked"] for job in (queued, elsewhere)}
    assert len(asked) == 2


def test_a_run_applied_anew_has_a_job_of_its_own() -> None:
    run = make_run()
    again = replace(run, uid="another")
    before, after = (job(r, r.spec.evaluations[0], UPSTREAM, Settings()) for r in (run, again))
    assert name(after) != name(before)


def test_what_was_answered_is_known_by_run_and_target() -> None:
    def identity(upstream: Upstream = UPSTREAM, run: Any = None, **evaluation: Any) -> str:
        found: str = environment(adapter(made(upstream, run, **evaluation)))["MODEL_IDENTITY"]
        return found

    run = make_run()
    again = job(replace(run, uid="another"), run.spec.evaluations[0], UPSTREAM, Settings())
    others = [
        environment(adapter(again))["MODEL_IDENTITY"],
        identity(Upstream(UPSTREAM.url, "tiny", "abd")),
        identity(Upstream(UPSTREAM.url, "tiny", "abc", uid="made anew")),
        identity(Upstream("http://else", "tiny", "abc")),
    ]
    assert len({identity(), *others}) == 5
    same = [{"retry": {"limit": 9}}, {"adapter": {"interceptors": ["endpoint"]}}]
    assert {identity(run=run) for run in same} | {identity(tasks=["other"])} == {identity()}


def test_the_adapter_is_told_its_configuration_as_it_was_written() -> None:
    config = {"interceptors": [{"name": "system_message", "config": {"system_message": "$(A) ü"}}]}
    text = environment(adapter(made(run={"adapter": config})))["ADAPTER_CONFIG"]
    assert json.loads(text.replace("$$", "$")) == config
    assert "$$(A)" in text
    assert "ADAPTER_CONFIG" not in environment(adapter(made()))


def test_the_adapter_knows_its_pod() -> None:
    assert environment(adapter(made()))["SESSION"]["fieldRef"]["fieldPath"] == "metadata.uid"


@pytest.mark.parametrize("config", [{}, {"use_caching": False}], ids=["empty", "flags"])
def test_another_chain_is_another_job_for_whoever_builds_it(config: dict[str, Any]) -> None:
    plain, configured = made(), made(run={"adapter": config})
    assert plain["metadata"]["annotations"] != configured["metadata"]["annotations"]
    assert name(plain) != name(configured)


def test_what_was_asked_of_a_job_is_told_as_the_version_before_told_it() -> None:
    """Else an upgrade would start every evaluation anew."""
    assert made()["metadata"]["annotations"] == {"proctor.dev/asked": "ce1255d578"}


def test_the_longest_names_make_a_name_that_a_job_may_have() -> None:
    owner = make_run("r" * 63, evaluations=[EVALUATION | {"name": "e" * 63}])
    assert len(name(job(owner, owner.spec.evaluations[0], UPSTREAM, Settings()))) <= 63


def test_the_harness_is_told_what_to_ask() -> None:
    spec = json.loads(environment(harness(made(params={"fewShot": 2})))["RUN_SPEC"])
    assert RunSpec.model_validate(spec).params.few_shot == 2
    assert (spec["tasks"], spec["model"], spec["seed"]) == (["arithmetic_mc"], "tiny", 1234)


def test_a_task_that_looks_like_a_variable_is_data() -> None:
    assert "$$(HOME)" in environment(harness(made(tasks=["$(HOME)"])))["RUN_SPEC"]


def test_only_the_adapter_has_the_key() -> None:
    with_key = made(Upstream("https://api", "m", api_key=KEY))
    key = {"secretKeyRef": {"name": "secret", "key": "token"}}
    assert environment(adapter(with_key))["API_KEY"] == key
    assert "secret" not in str(harness(with_key))
    assert "API_KEY" not in environment(adapter(made()))


def test_the_harness_knows_no_way_but_the_adapter() -> None:
    assert UPSTREAM.url not in str(harness(made()))
    assert environment(harness(made()))["BASE_URL"] == "http://127.0.0.1:$(PORT_ADAPTER)/v1"


@pytest.mark.parametrize(
    ("harness", "told"),
    [("lm-eval", {"UPSTREAM_TIMEOUT_SECONDS": "7205"})]
    + [
        (name, {"UPSTREAM_TIMEOUT_SECONDS": "7200", "MAX_RETRIES": "3"})
        for name in sorted(LEFT_TO_THE_ADAPTER)
    ],
)
def test_the_adapter_has_patience_longer_than_the_harness_or_in_its_place(
    harness: str, told: dict[str, str]
) -> None:
    params = {"requestTimeoutSeconds": 7200, "maxRetries": 3}
    found = environment(adapter(made(harness=harness, params=params)))
    names = {"UPSTREAM_TIMEOUT_SECONDS", "MAX_RETRIES"}
    assert {name: found[name] for name in names & found.keys()} == told


def test_wrong_input_is_not_retried_and_a_drained_node_does_not_count() -> None:
    ignore, fail = made()["spec"]["podFailurePolicy"]["rules"]
    assert ignore["onPodConditions"][0]["type"] == "DisruptionTarget"
    assert fail["onExitCodes"]["values"] == [EXIT_REJECTED]
    assert made(run={"retry": {"limit": 7}})["spec"]["backoffLimit"] == 7


def test_artifacts_go_with_the_pod_unless_a_claim_keeps_them() -> None:
    assert {"name": "artifacts", "emptyDir": {}} in pod(made())["volumes"]
    kept = made(run={"artifacts": {"pvc": {"claimName": "kept", "path": "all"}}})
    claim = {"claimName": "kept"}
    assert {"name": "artifacts", "persistentVolumeClaim": claim} in pod(kept)["volumes"]
    mount = {"name": "artifacts", "mountPath": "/artifacts", "subPath": "all/run/sums"}
    assert mount in harness(kept)["volumeMounts"]
    assert mount in adapter(kept)["volumeMounts"]


@pytest.mark.parametrize(("path", "sub"), [(".", {}), ("./tasks/", {"subPath": "tasks"})])
def test_datasets_are_mounted_read_only(path: str, sub: dict[str, str]) -> None:
    found = made(datasets={"pvc": {"claimName": "files", "path": path}})
    mount = {"name": "datasets", "mountPath": "/datasets", "readOnly": True} | sub
    assert mount in harness(found)["volumeMounts"]
    assert "MOUNT_DATASETS" not in environment(adapter(found))


@pytest.mark.parametrize(("kept", "read_only"), [("files", {}), ("kept", {"readOnly": True})])
def test_a_claim_that_artifacts_go_to_is_not_attached_read_only(
    kept: str, read_only: dict[str, bool]
) -> None:
    run = {"artifacts": {"pvc": {"claimName": kept, "path": "all"}}}
    found = pod(made(run=run, datasets={"pvc": {"claimName": "files", "path": "tasks"}}))
    claim = {"claimName": "files"} | read_only
    assert {"name": "datasets", "persistentVolumeClaim": claim} in found["volumes"]


def test_resources_are_the_evaluation_s_or_modest() -> None:
    assert harness(made())["resources"] == {"requests": {"cpu": "100m", "memory": "512Mi"}}
    own = made(resources={"limits": {"memory": "2Gi"}})
    assert harness(own)["resources"] == {"requests": {}, "limits": {"memory": "2Gi"}}


@pytest.mark.parametrize(
    ("root", "path", "joined"),
    [(".", "a/b", "a/b"), ("/x/", "a", "x/a"), ("x//y", ".", "x/y"), (".", "", "")],
)
def test_a_sub_path_is_relative(root: str, path: str, joined: str) -> None:
    assert below(root, path) == joined
