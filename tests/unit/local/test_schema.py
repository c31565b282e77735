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
        ({"arg": []}, ".arg: field not declared in schema"),
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


def test_other_kinds_are_not_ours_to_judge() -> None:
    assert list(misfits({"kind": "ModelDeployment", "spec": {"anything": 1}})) == []
