"""What fits the types of Kubernetes' API."""

from typing import Any

import pytest

from proctor_cli.local.schema import misfits
from proctor_operator.cluster import Manifest


def pod(**main: Any) -> Manifest:
    return {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "main", **main}]}}


@pytest.mark.parametrize(
    "main",
    [
        {"resources": {"limits": {"cpu": 1, "memory": "1.5Gi", "a": "100m", "b": "1e3", "c": 0.5}}},
        {"ports": [{"containerPort": 1}, {"containerPort": 2}]},
        {"ports": [{"containerPort": 1}, {"containerPort": 1, "protocol": "UDP"}]},
        {"livenessProbe": {"httpGet": {"port": "http"}}},
        {"livenessProbe": {"httpGet": {"port": 80}}},
        {"securityContext": {"privileged": False}},
        {"env": [{"name": "A"}, {"name": "B"}]},
        {"args": ["a", "a"]},
    ],
)
def test_fits(main: dict[str, Any]) -> None:
    assert list(misfits(pod(**main))) == []


@pytest.mark.parametrize(
    ("main", "problem"),
    [
        ({"arg": []}, ".arg: field not declared in schema; did you mean args or image?"),
        ({"args": "a"}, '.args: expected list, got "a"'),
        ({"args": [1]}, ".args[0]: expected string, got 1"),
        ({"env": ["A"]}, '.env[0]: expected map, got "A"'),
        ({"env": {"A": "1"}}, '.env: expected list, got {"A": "1"}'),
        ({"resources": []}, ".resources: expected map, got []"),
        ({"resources": {"limits": ["1"]}}, '.resources.limits: expected map, got ["1"]'),
        ({"resources": {"limits": {"cpu": "1 GB"}}}, '.cpu: expected quantity, got "1 GB"'),
        ({"resources": {"limits": {"cpu": True}}}, ".cpu: expected quantity, got true"),
        ({"tty": "yes"}, '.tty: expected boolean, got "yes"'),
        ({"tty": 1}, ".tty: expected boolean, got 1"),
        ({"livenessProbe": {"periodSeconds": True}}, ".periodSeconds: expected integer, got true"),
        (
            {"livenessProbe": {"httpGet": {"port": []}}},
            ".port: expected integer or string, got []",
        ),
        (
            {"ports": [{"containerPort": 1}, {"containerPort": 1, "protocol": "TCP"}]},
            '.ports: duplicate entries for key [containerPort=1, protocol="TCP"]',
        ),
    ],
)
def test_does_not_fit(main: dict[str, Any], problem: str) -> None:
    (found,) = misfits(pod(**main))
    assert found.startswith(".spec.containers[0]")
    assert found.endswith(problem)


@pytest.mark.parametrize("version", ["proctor.dev/v1alpha1", "else.dev/v1"])
def test_of_other_kinds_the_spec_is_not_judged(version: str) -> None:
    made = {"apiVersion": version, "kind": "ModelDeployment", "spec": {"anything": 1}}
    assert list(misfits(made)) == []


def test_of_unknown_kinds_no_field_but_the_metadata_is_judged() -> None:
    made = {"apiVersion": "else.dev/v1", "kind": "Else", "metadata": {"name": "a"}, "rules": 1}
    assert list(misfits(made)) == []
    assert list(misfits(made | {"metadata": "a"})) == ['.metadata: expected map, got "a"']


def test_a_kind_that_is_no_text_does_not_fit() -> None:
    assert list(misfits({"apiVersion": 1, "kind": ["x"]})) == [
        ".apiVersion: expected string, got 1",
        '.kind: expected string, got ["x"]',
    ]


def test_beside_the_spec_of_a_resource_there_is_nothing_but_its_status() -> None:
    made = {"apiVersion": "proctor.dev/v1alpha1", "status": {}, "sepc": 1}
    assert list(misfits(made)) == [".sepc: field not declared in schema; did you mean spec?"]
