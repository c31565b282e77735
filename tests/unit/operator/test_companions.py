"""What stands beside the harness: an image of the user's, and the sandbox."""

import json
from dataclasses import replace
from typing import Any

import pytest

from proctor_crds.evaluation_run import Evaluation
from proctor_crds.validation import SpecInvalidError, parse
from proctor_operator.children.evaluation_job import job, shards_job
from proctor_operator.children.upstream import Upstream
from proctor_operator.cluster import Manifest
from proctor_operator.settings import Settings
from tests.builders import EVALUATION, make_run

KEY = {"endpoint": {"url": "http://a", "model": "m", "apiKeySecretRef": {"name": "s", "key": "k"}}}
KEPT = {"pvc": {"claimName": "kept"}}
CODE = {"harness": "bigcode", "tasks": ["humaneval"]}
FACTORY = {"harness": "container", "image": "factory/simple-evals:1", "tasks": ["gpqa_diamond"]}


def pod(**evaluation: Any) -> Manifest:
    """The pod's spec of a run's only evaluation, its artifacts on a claim."""
    owner = make_run(evaluations=[EVALUATION | evaluation], artifacts=KEPT, target=KEY)
    upstream = Upstream("http://a", "m", api_key=owner.spec.target.endpoint.api_key_secret_ref)
    made = job(owner, owner.spec.evaluations[0], upstream, Settings())
    spec: Manifest = made["spec"]["template"]["spec"]
    return spec


def sidecars(spec: Manifest) -> dict[str, Manifest]:
    """The pod's native sidecars by name."""
    assert all(each["restartPolicy"] == "Always" for each in spec["initContainers"])
    return {each["name"]: each for each in spec["initContainers"]}


def mounted(container: Manifest) -> set[str]:
    """The volumes that a container sees."""
    return {mount["name"] for mount in container["volumeMounts"]}


@pytest.mark.parametrize(
    ("evaluation", "names"),
    [
        ({}, ["adapter"]),
        ({"harness": "bigcode", "tasks": ["starcoder_fim"]}, ["adapter"]),
        (CODE, ["adapter", "sandbox"]),
        (FACTORY, ["adapter", "worker"]),
    ],
    ids=["lm-eval", "texts", "code", "factory"],
)
def test_each_evaluation_has_the_companions_that_it_needs(
    evaluation: dict[str, Any], names: list[str]
) -> None:
    assert list(sidecars(pod(**evaluation))) == names


def test_the_sandbox_has_nothing_of_the_run() -> None:
    spec = pod(**CODE)
    sandbox = sidecars(spec)["sandbox"]
    others = [c for c in [*spec["containers"], *spec["initContainers"]] if c is not sandbox]
    assert mounted(sandbox) == {"sandbox"}
    assert not any("sandbox" in mounted(container) for container in others)
    names = {"PORT_SANDBOX", "MOUNT_SANDBOX", "HOME", "TMPDIR"}
    names |= {"BIND_ADDRESS", "TERMINATION_MESSAGE_PATH"}
    assert {variable["name"] for variable in sandbox["env"]} == names
    assert all("valueFrom" not in variable for variable in sandbox["env"])
    [volume] = [volume for volume in spec["volumes"] if volume["name"] == "sandbox"]
    assert volume["emptyDir"] == {"sizeLimit": "64Mi"}


def test_the_sandbox_is_shut_in() -> None:
    sandbox = sidecars(pod(**CODE))["sandbox"]
    assert sandbox["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"cpu", "memory", "ephemeral-storage"} == sandbox["resources"]["limits"].keys()


def test_the_harness_knows_where_the_sandbox_is() -> None:
    [harness] = pod(**CODE)["containers"]
    assert {"name": "PORT_SANDBOX", "value": "9200"} in harness["env"]


@pytest.mark.parametrize("name", ["gvisor", None])
def test_the_pod_runs_under_the_runtime_that_is_asked(name: str | None) -> None:
    spec = pod(**CODE, sandbox={"runtimeClassName": name} if name else {})
    assert spec.get("runtimeClassName") == name


def test_the_image_works_on_the_artifacts_and_has_no_key() -> None:
    spec = pod(**FACTORY, resources={"limits": {"memory": "9Gi"}})
    worker, [harness] = sidecars(spec)["worker"], spec["containers"]
    assert worker["image"] == "factory/simple-evals:1"
    assert harness["image"].startswith("proctor/harness-container:")
    assert mounted(worker) == mounted(harness) == {"scratch", "artifacts"}
    assert worker["resources"]["limits"] == {"memory": "9Gi"}
    assert all("valueFrom" not in variable for variable in worker["env"])


@pytest.mark.parametrize(
    "wrong", [{"harness": "container"}, {"image": "x"}], ids=["missing", "needless"]
)
def test_an_image_is_named_exactly_where_it_is_run(wrong: dict[str, Any]) -> None:
    with pytest.raises(SpecInvalidError, match="name an Eval-Factory image"):
        parse(Evaluation, EVALUATION | wrong)


@pytest.mark.parametrize("evaluation", [CODE, FACTORY], ids=["code", "factory"])
def test_a_mirror_of_the_hub_is_asked_by_who_downloads(evaluation: dict[str, Any]) -> None:
    spec = pod(**evaluation, datasets={"hub": {"endpoint": "http://mirror$(HOME)"}})
    told = {"name": "HF_ENDPOINT", "value": "http://mirror$$(HOME)"}
    knows = {c["name"] for c in [*spec["containers"], *spec["initContainers"]] if told in c["env"]}
    assert knows == {"harness"} | ({"worker"} if evaluation is FACTORY else set())


@pytest.mark.parametrize(
    ("datasets", "valid"),
    [
        ({"hub": {"endpoint": "http://mirror"}}, True),
        ({"hub": {"endpoint": "http://mirror"}, "pvc": {"claimName": "c"}}, True),
        ({}, False),
        ({"hub": {"endpoint": "mirror"}}, False),
    ],
    ids=["alone", "beside a claim", "nothing", "no url"],
)
def test_datasets_come_from_a_hub_a_claim_or_both(datasets: dict[str, Any], valid: bool) -> None:
    evaluation = EVALUATION | {"datasets": datasets}
    if valid:
        assert parse(Evaluation, evaluation).datasets
    else:
        with pytest.raises(SpecInvalidError, match="datasets"):
            parse(Evaluation, evaluation)


JUDGED = {"harness": "safety-harness", "tasks": ["wildguard"], "judgeRef": {"name": "guard"}}


def test_a_judge_has_an_adapter_of_its_own() -> None:
    owner = make_run(evaluations=[EVALUATION | JUDGED], target=KEY)
    judge = Upstream("http://guard.team.svc:8080", "wildguard", "abc")
    key = owner.spec.target.endpoint.api_key_secret_ref
    upstream = Upstream("http://a", "m", api_key=key, judges={"guard": judge})
    made = job(owner, owner.spec.evaluations[0], upstream, Settings())
    spec: Manifest = made["spec"]["template"]["spec"]
    adapter = sidecars(spec)["judge"]
    variables = {v["name"]: v.get("value") for v in adapter["env"]}
    assert variables["UPSTREAM_URL"] == "http://guard.team.svc:8080"
    assert variables[variables["PORT_VARIABLE"]] == "9101"
    assert "API_KEY" not in variables
    assert adapter["startupProbe"]["httpGet"] == {"path": "/healthz", "port": "judge"}
    assert [m.get("subPath") for m in adapter["volumeMounts"]] == [None, "judge"]
    [harness] = spec["containers"]
    told = {v["name"]: v["value"] for v in harness["env"]}
    assert told["JUDGE_URL"] == "http://127.0.0.1:$(PORT_JUDGE)/v1"
    assert json.loads(told["RUN_SPEC"])["judgeModel"] == "wildguard"


def test_pods_that_ask_a_share_have_no_judge() -> None:
    owner = make_run(evaluations=[EVALUATION | JUDGED | {"shards": 2}], artifacts=KEPT)
    judge = Upstream("http://guard", "wildguard", "abc")
    upstream = Upstream("http://a", "m", judges={"guard": judge})
    [evaluation] = owner.spec.evaluations
    specs = [
        build(owner, evaluation, upstream, Settings())["spec"]["template"]["spec"]
        for build in (shards_job, job)
    ]
    assert ["judge" in sidecars(spec) for spec in specs] == [False, True]
    told = [{v["name"]: v.get("value", "") for v in s["containers"][0]["env"]} for s in specs]
    assert ["JUDGE_URL" in variables for variables in told] == [False, True]
    # Its name is a parameter of the harness all the same.
    assert all(json.loads(v["RUN_SPEC"])["judgeModel"] == "wildguard" for v in told)


@pytest.mark.parametrize("field", ["url", "model", "identity"])
def test_another_judge_is_another_job(field: str) -> None:
    owner = make_run(evaluations=[EVALUATION | JUDGED])
    judges = [
        Upstream("http://g", "g", "1"),
        replace(Upstream("http://g", "g", "1"), **{field: "x"}),
    ]
    upstreams = [Upstream("http://a", "m", judges={"guard": judge}) for judge in judges]
    made = [job(owner, owner.spec.evaluations[0], upstream, Settings()) for upstream in upstreams]
    assert len({each["metadata"]["name"] for each in made}) == 2
    assert len({each["metadata"]["annotations"]["proctor.dev/asked"] for each in made}) == 2
