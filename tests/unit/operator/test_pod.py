"""What every pod has: the address convention and hardening."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor_operator.children.pod import (
    addresses,
    claim_volume,
    container,
    escaped,
    pod_spec,
    variable,
    within,
)


def expanded(value: str, variables: dict[str, str]) -> str:
    """`value` as the kubelet expands it (k8s.io/kubernetes/third_party/forked/golang/expansion)."""
    result, rest = "", value
    while rest:
        if rest.startswith("$$"):
            result, rest = result + "$", rest[2:]
        elif rest.startswith("$(") and ")" in rest:
            name, rest = rest[2:].split(")", 1)
            result += variables.get(name, f"$({name})")
        else:
            result, rest = result + rest[0], rest[1:]
    return result


@given(st.text(alphabet="$()HOME x", max_size=20))
def test_escaped_text_reaches_the_process_as_it_was(value: str) -> None:
    assert expanded(escaped(value), {"HOME": "/root", "": "empty"}) == value


@pytest.mark.parametrize(
    ("path", "argument"),
    [
        (".", "$(MOUNT_MODEL)"),
        ("", "$(MOUNT_MODEL)"),
        ("/", "$(MOUNT_MODEL)"),
        ("/a/b/", "$(MOUNT_MODEL)/a/b"),
        ("$(HOME)", "$(MOUNT_MODEL)/$$(HOME)"),
    ],
)
def test_a_path_lies_within_its_mount(path: str, argument: str) -> None:
    assert within("model", path) == argument


def test_a_variable_is_upper_case_without_hyphens() -> None:
    assert variable("PORT", "triton-http") == "PORT_TRITON_HTTP"


def test_every_port_and_mount_is_told() -> None:
    env = addresses({"http": 8080}, [{"name": "scratch", "mountPath": "/scratch"}])
    assert {e["name"]: e["value"] for e in env} == {
        "BIND_ADDRESS": "0.0.0.0",  # noqa: S104
        "TERMINATION_MESSAGE_PATH": "/dev/termination-log",
        "PORT_HTTP": "8080",
        "MOUNT_SCRATCH": "/scratch",
        "HOME": "$(MOUNT_SCRATCH)",
        "TMPDIR": "$(MOUNT_SCRATCH)",
    }


def test_a_container_knows_the_ports_of_its_peers_but_does_not_claim_them() -> None:
    made = container("c", "i", ["run"], ports={}, mounts=[], peer_ports={"adapter": 9100})
    assert {"name": "PORT_ADAPTER", "value": "9100"} in made["env"]
    assert "ports" not in made


def test_own_variables_come_after_the_addresses_that_they_may_name() -> None:
    own = {"name": "URL", "value": "http://127.0.0.1:$(PORT_HTTP)"}
    made = container("c", "i", ["run"], ports={"http": 80}, mounts=[], env=[own])
    assert made["env"][-1] == own
    assert made["ports"] == [{"name": "http", "containerPort": 80}]


def test_a_container_may_do_nothing_that_it_need_not() -> None:
    made = container("c", "i", ["run"], ports={}, mounts=[], workingDir="/w")
    assert made["workingDir"] == "/w"
    assert made["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_a_pod_has_no_token_and_no_root() -> None:
    made = pod_spec([], [{"name": "v"}], restartPolicy="Never")
    assert made["automountServiceAccountToken"] is False
    assert made["securityContext"]["runAsNonRoot"] is True
    assert made["restartPolicy"] == "Never"
    assert [volume["name"] for volume in made["volumes"]] == ["scratch", "v"]


def test_a_claim_is_mounted_read_only_where_asked() -> None:
    source = {"claimName": "c", "readOnly": True}
    assert claim_volume("v", "c", read_only=True)["persistentVolumeClaim"] == source
    assert claim_volume("v", "c", read_only=False)["persistentVolumeClaim"] == {"claimName": "c"}
