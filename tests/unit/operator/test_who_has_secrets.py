"""Which containers of an evaluation's pod are given which Secret: each only what it needs."""

from typing import Any

import pytest

from proctor_crds.common import SecretKeyRef
from proctor_operator.children.evaluation_job import job
from proctor_operator.children.upstream import Upstream
from proctor_operator.cluster import Manifest
from proctor_operator.settings import Settings
from tests.builders import EVALUATION, make_run
from tests.contract.operator.golden import CASES, children

KEY = SecretKeyRef(name="api-key", key="token")
TARGET = Upstream(
    "http://else", "m", "abc", api_key=KEY, judges={"judge": Upstream("http://j", "j")}
)
FILES = {"s3": {"uri": "s3://tasks/v2", "secretRef": {"name": "files"}}}
KEPT = {"s3": {"uri": "s3://kept", "secretRef": {"name": "kept"}}}
EXPECTED = {"fetch": {"files"}, "resume": {"kept"}, "keep": {"kept"}, "adapter": {"api-key"}}
PODS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "judged": (
        {"harness": "safety-harness", "tasks": ["aegis_v2"], "judgeRef": {"name": "judge"}},
        {"judge", "harness"},
    ),
    "with code": ({"harness": "bigcode", "tasks": ["humaneval"]}, {"sandbox", "harness"}),
    "an image": (
        {"harness": "container", "tasks": ["t"], "image": "factory:1"},
        {"worker", "harness"},
    ),
}


def pod(evaluation: dict[str, Any]) -> Manifest:
    """The pod's spec of an evaluation with all Secrets that one can have."""
    owner = make_run(evaluations=[EVALUATION | {"datasets": FILES} | evaluation], artifacts=KEPT)
    made = job(owner, owner.spec.evaluations[0], TARGET, Settings())
    spec: Manifest = made["spec"]["template"]["spec"]
    return spec


def containers(spec: Manifest) -> list[Manifest]:
    return [*spec["initContainers"], *spec["containers"]]


def secrets(container: Manifest) -> set[str]:
    """The names of the Secrets that it is given."""
    sources = [variable.get("valueFrom", {}) for variable in container["env"]]
    return {each["secretKeyRef"]["name"] for each in sources if "secretKeyRef" in each}


def mounted(container: Manifest) -> set[str]:
    """The volumes that it sees."""
    return {mount["name"] for mount in container["volumeMounts"]}


def home(container: Manifest) -> str:
    """The volume of HOME and TMPDIR."""
    values = {variable["name"]: variable.get("value") for variable in container["env"]}
    names = {f"$(MOUNT_{n.upper().replace('-', '_')})": n for n in mounted(container)}
    assert values["HOME"] == values["TMPDIR"]
    return names[values["HOME"]]


@pytest.mark.parametrize(("evaluation", "others"), PODS.values(), ids=PODS)
def test_each_secret_is_in_its_own_container_alone(
    evaluation: dict[str, Any], others: set[str]
) -> None:
    spec = pod(evaluation)
    found = {each["name"]: secrets(each) for each in containers(spec)}
    assert found == EXPECTED | {name: set() for name in others}
    assert not any("envFrom" in each for each in containers(spec))
    assert not any("secret" in volume for volume in spec["volumes"])


JOBS = {f"{name} and kept in a bucket": pod(evaluation) for name, (evaluation, _) in PODS.items()}
JOBS |= {
    f"{case.name}/{child['metadata']['name']}": child["spec"]["template"]["spec"]
    for case in CASES
    for child in children(case)
    if child["kind"] == "Job"
}


@pytest.mark.parametrize("spec", JOBS.values(), ids=JOBS)
def test_nobody_else_writes_where_a_container_with_a_secret_may_load_code_from(
    spec: Manifest,
) -> None:
    holders = [each for each in containers(spec) if secrets(each)]
    written = {
        mount["name"]
        for each in containers(spec)
        if not secrets(each)
        for mount in each["volumeMounts"]
        if not mount.get("readOnly")
    }
    assert [each["name"] for each in holders if mounted(each) & written - {"artifacts"}] == []
    homes = [home(each) for each in holders]
    assert len(set(homes)) == len(homes) > 0
    assert written.isdisjoint(homes)


@pytest.mark.parametrize("spec", JOBS.values(), ids=JOBS)
def test_an_adapter_s_home_is_its_own_with_and_without_a_key(spec: Manifest) -> None:
    homes = {each["name"]: home(each) for each in containers(spec)}
    for name in {"adapter", "judge"} & homes.keys():
        assert list(homes.values()).count(homes[name]) == 1


@pytest.mark.parametrize("spec", JOBS.values(), ids=JOBS)
def test_each_volume_that_is_mounted_exists_once(spec: Manifest) -> None:
    names = [volume["name"] for volume in spec["volumes"]]
    assert sorted(names) == sorted(set.union(*map(mounted, containers(spec))))
