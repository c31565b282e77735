from typing import Any

import pytest

from proctor_cli.local.admission import admit, problems
from proctor_operator.cluster import Manifest, Rejected
from tests.apiserver.test_admission import DEPLOYMENT, REFUSED, RUN

CONTAINER: Manifest = {"name": "main", "image": "x"}


def manifest(kind: str, spec: Manifest, name: str = "a", **meta: Any) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "ns", **meta},
        "spec": spec,
    }


def pod(**container: Any) -> Manifest:
    return manifest("Pod", {"containers": [{**CONTAINER, **container}]})


def job(restart: str = "Never", **spec: Any) -> Manifest:
    template = {"spec": {"restartPolicy": restart, "containers": [CONTAINER]}}
    return manifest("Job", {"template": template, **spec})


def deployment(selector: Manifest, **spec: Any) -> Manifest:
    template = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [CONTAINER], **spec}}
    return manifest("Deployment", {"selector": {"matchLabels": selector}, "template": template})


def config(**fields: Any) -> Manifest:
    return {"apiVersion": "v1", "kind": "ConfigMap"} | {
        "metadata": {"name": "a", "namespace": "ns"},
        **fields,
    }


def placed(resource: Manifest) -> Manifest:
    return resource | {"metadata": {"namespace": "ns", **resource["metadata"]}}


PORT = {"port": 80}


@pytest.mark.parametrize(
    "good",
    [
        pod(),
        job(),
        job("OnFailure"),
        job(podFailurePolicy={}),
        manifest("Service", {"ports": [PORT]}),
        deployment({"app": "a"}),
        manifest("Unheard", {"anything": 1}, name="a.b-c"),
        manifest("Unheard", {}, labels={"Example.x": "", "example.com/A_b": "1.x"}) | {"rules": []},
        manifest("Unheard", {}, annotations={"Example.com/A": "any\ntext"}),
        placed(DEPLOYMENT),
        placed(RUN) | {"status": {"score": "1"}},
    ],
    ids=lambda each: each["kind"],
)
def test_admitted(good: Manifest) -> None:
    admit(good, None)


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (manifest("Service", {"ports": [PORT]}, name="1a"), "metadata.name"),
        (manifest("Service", {"ports": [PORT, PORT]}), "spec.ports"),
        (manifest("Service", {}), "spec.ports"),
        (manifest("Any", {}, namespace="A"), "metadata.namespace"),
        (manifest("Any", {}, labels={"a": 1}), "metadata.labels"),
        (manifest("Any", {}, labels={"a b": "1"}), 'metadata.labels: Invalid value: "a b"'),
        (manifest("Any", {}, labels={"Ab.c/d": "1"}), 'metadata.labels: Invalid value: "Ab.c/d"'),
        (manifest("Any", {}, labels={"a/b/c": "1"}), 'metadata.labels: Invalid value: "a/b/c"'),
        (manifest("Any", {}, labels={"a" * 64: "1"}), "metadata.labels: Invalid value"),
        (manifest("Any", {}, labels={"a" * 254 + "/b": "1"}), "metadata.labels: Invalid value"),
        (manifest("Any", {}, annotations={"a": 1}), "metadata.annotations.a: expected string"),
        (manifest("Any", {}, annotations={"": "1"}), "metadata.annotations: Invalid value"),
        (manifest("Any", {}, lables={}), "metadata.lables: field not declared in schema; did you"),
        (manifest("Any", {}, name=5), "metadata.name: expected string, got 5"),
        (config(binaryData={"a": "%"}), "binaryData.a: illegal base64 data"),
        (config(kind="Secret", data={"a": "%"}), "data.a: illegal base64 data"),
        (placed(RUN) | {"kind": "EvaluationRnu"}, "kind: no EvaluationRnu in proctor.dev/v1alpha1"),
        (manifest("Pod", {}), "spec.containers"),
        (
            manifest("Pod", {"containers": [CONTAINER], "initContainers": [CONTAINER]}),
            "Duplicate value",
        ),
        (pod(name="A"), "name"),
        (pod(image=""), "image"),
        (pod(ports=[{"name": "8080", "containerPort": 80}]), "ports"),
        (pod(ports=[{"name": "http"}]), "containerPort"),
        (pod(ports=[{"name": "a", "containerPort": each} for each in (1, 2)]), "ports.name"),
        (pod(startupProbe={"tcpSocket": {"port": 1}, "exec": {}}), "startupProbe"),
        (pod(readinessProb={}), "readinessProb: field not declared"),
        (pod(volumeMounts=[{"name": "none"}]), "volumeMounts"),
        (pod(env=[{"name": "A", "value": 1}]), "env"),
        (pod(volumeMounts=[{"name": "none", "mountPath": "/x"}]), 'Not found: "none"'),
        (deployment({}), "spec.selector: Required value"),
        (deployment({"app": "b"}), "spec.template.metadata.labels"),
        (deployment({"app": "a"}, restartPolicy="Never"), "restartPolicy"),
        (job("Always"), "restartPolicy"),
        (job("OnFailure", podFailurePolicy={}), "podFailurePolicy"),
        (job(completionMode="Other"), "completionMode"),
        (job(completionMode="Indexed"), "spec.completions: Required value"),
        (job(backoffLimitPerIndex=1), "backoffLimitPerIndex"),
        ({"metadata": {"name": "a", "namespace": "ns"}}, "apiVersion"),
    ],
)
def test_rejected_with_the_field_at_fault(bad: Manifest, field: str) -> None:
    with pytest.raises(Rejected) as error:
        admit(bad, None)
    assert field in str(error.value)


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_apiserver_refuses_is_refused(case: str) -> None:
    bad, _ = REFUSED[case]
    assert problems(placed(bad))


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(Rejected) as error:
        admit(manifest("Pod", {}, name="A", labels={"x": "!"}), None)
    assert all(part in str(error.value) for part in ("metadata.name", "labels", "containers"))


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        (job(), job("OnFailure"), "spec.template"),
        (deployment({"app": "a"}), deployment({}), "spec.selector"),
        (pod(), pod(image="y"), "spec"),
        (config(immutable=True, data={"a": "1"}), config(data={"a": "1"}), "data"),
        (config(immutable=True, data={"a": "1"}), config(immutable=True, data={}), "data"),
    ],
)
def test_what_cannot_change(old: Manifest, new: Manifest, field: str) -> None:
    admit(old, None)
    with pytest.raises(Rejected, match=f"{field}: .*immutable"):
        admit(new, old)


def test_what_can_change() -> None:
    admit(deployment({"app": "a"}, nodeSelector={"b": "c"}), deployment({"app": "a"}))
    admit(config(data={"a": "2"}), config(data={"a": "1"}))
