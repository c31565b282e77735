"""Which containers of an evaluation's pod are given which Secret: each only what it needs."""

from typing import Any

import pytest

from proctor_crds.common import SecretKeyRef
from proctor_operator.children.evaluation_job import Upstream, job
from proctor_operator.settings import Settings
from tests.builders import EVALUATION, make_run

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


@pytest.mark.parametrize(("evaluation", "others"), PODS.values(), ids=PODS)
def test_each_secret_is_in_its_own_container_alone(
    evaluation: dict[str, Any], others: set[str]
) -> None:
    owner = make_run(evaluations=[EVALUATION | {"datasets": FILES} | evaluation], artifacts=KEPT)
    spec = job(owner, owner.spec.evaluations[0], TARGET, Settings())["spec"]["template"]["spec"]
    containers = [*spec["initContainers"], *spec["containers"]]
    found = {
        each["name"]: {
            variable["valueFrom"]["secretKeyRef"]["name"]
            for variable in each["env"]
            if "secretKeyRef" in variable.get("valueFrom", {})
        }
        for each in containers
    }
    assert found == EXPECTED | {name: set() for name in others}
    assert not any("envFrom" in each for each in containers)
    assert not any("secret" in volume for volume in spec["volumes"])
