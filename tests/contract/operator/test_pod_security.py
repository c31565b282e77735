"""No pod that we make has more rights than it needs."""

import pytest

from proctor_operator.cluster import Manifest
from tests.contract.operator.golden import CASES, children

PODS = {
    f"{case.name}/{child['metadata']['name']}": child["spec"]["template"]["spec"]
    for case in CASES
    for child in children(case)
    if "template" in child["spec"]
}
CONTAINERS = {
    f"{name}/{container['name']}": container
    for name, pod in PODS.items()
    for container in [*pod.get("initContainers", []), *pod["containers"]]
}

each_pod = pytest.mark.parametrize("pod", PODS.values(), ids=PODS)
each_container = pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)


@each_pod
def test_a_pod_holds_no_token_of_the_cluster(pod: Manifest) -> None:
    assert pod["automountServiceAccountToken"] is False
    assert "serviceAccountName" not in pod


@each_pod
def test_a_pod_is_not_root(pod: Manifest) -> None:
    context = pod["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] > 0
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}


@each_pod
def test_a_pod_shares_nothing_with_its_node(pod: Manifest) -> None:
    assert {"hostNetwork", "hostPID", "hostIPC"}.isdisjoint(pod)
    assert [volume for volume in pod["volumes"] if "hostPath" in volume] == []


@each_pod
def test_no_volume_is_a_secret(pod: Manifest) -> None:
    assert [volume for volume in pod["volumes"] if "secret" in volume] == []


@each_container
def test_a_container_cannot_change_its_image_or_gain_rights(container: Manifest) -> None:
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


@each_container
def test_models_and_datasets_are_read_only(container: Manifest) -> None:
    writable = {m["name"] for m in container["volumeMounts"] if not m.get("readOnly")}
    filled = {"model"} if container["name"] == "fetch" else set()
    scratch = {"scratch", f"{container['name']}-scratch"}
    assert writable <= scratch | {"shm", "artifacts", "sandbox"} | filled


@each_container
def test_only_who_asks_outside_reads_a_secret_and_only_what_it_asks_with(
    container: Manifest,
) -> None:
    sources = {e["name"]: e["valueFrom"] for e in container["env"] if "valueFrom" in e}
    reads = {name for name, source in sources.items() if "fieldRef" not in source}
    aws = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
    known = {"adapter": [{"API_KEY"}], "fetch": [set(), {"SOURCE_TOKEN"}, aws]}
    assert reads in known.get(container["name"], [set()])
    assert "envFrom" not in container


@each_container
def test_a_container_says_what_it_needs(container: Manifest) -> None:
    resources = container["resources"]
    assert resources.get("requests") or resources.get("limits")


@each_container
def test_every_address_of_a_container_is_told_by_the_convention(container: Manifest) -> None:
    names = {variable["name"] for variable in container["env"]}
    ports = {f"PORT_{p['name'].upper().replace('-', '_')}" for p in container.get("ports", [])}
    mounts = {f"MOUNT_{m['name'].upper().replace('-', '_')}" for m in container["volumeMounts"]}
    assert ports | mounts | {"BIND_ADDRESS", "TERMINATION_MESSAGE_PATH", "HOME"} <= names
