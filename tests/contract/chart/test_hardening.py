"""The operator's pod meets the `restricted` Pod Security Standard, and more."""

from tests.contract.chart.conftest import Render, one


def test_every_pod_is_restricted(render: Render) -> None:
    specs = [m["spec"]["template"]["spec"] for m in render() if "template" in m.get("spec", {})]
    assert specs
    for spec in specs:
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] >= 1000
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
        assert [set(v) - {"name"} for v in spec["volumes"]] == [{"emptyDir"}]
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}


def test_only_the_operators_pod_gets_a_token(render: Render) -> None:
    manifests = render()
    assert one(manifests, "ServiceAccount")["automountServiceAccountToken"] is False
    pod = one(manifests, "Deployment")["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is True


def test_home_is_the_writable_volume(render: Render) -> None:
    (container,) = one(render(), "Deployment")["spec"]["template"]["spec"]["containers"]
    environment = {v["name"]: v["value"] for v in container["env"]}
    assert environment["HOME"] == container["volumeMounts"][0]["mountPath"]
