"""What the real cluster's client says and understands, without an apiserver."""

import json
import re
from typing import Any

import pytest
from kubernetes.aio.client.exceptions import ApiException

from proctor_operator.cluster import ClusterError, Event, Ref, Rejected
from proctor_operator.kubernetes_cluster import (
    NotFoundError,
    collection,
    event_manifest,
    path_of,
    pod_url,
    translated,
)
from tests.builders import NOW, STAMP, make_pod, make_run


@pytest.mark.parametrize(
    ("api_version", "kind", "path"),
    [
        ("v1", "Pod", "/api/v1/namespaces/team/pods"),
        ("batch/v1", "Job", "/apis/batch/v1/namespaces/team/jobs"),
        (
            "proctor.dev/v1alpha1",
            "EvaluationRun",
            "/apis/proctor.dev/v1alpha1/namespaces/team/evaluationruns",
        ),
        (
            "networking.k8s.io/v1",
            "NetworkPolicy",
            "/apis/networking.k8s.io/v1/namespaces/team/networkpolicies",
        ),
        ("proctor.dev/v1alpha1", "Harness", "/apis/proctor.dev/v1alpha1/namespaces/team/harnesses"),
    ],
)
def test_paths(api_version: str, kind: str, path: str) -> None:
    assert collection(api_version, kind, "team") == path
    assert path_of(Ref(api_version, kind, "team", "x")) == f"{path}/x"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Rejected),
        (403, Rejected),
        (422, Rejected),
        (401, ClusterError),
        (404, NotFoundError),
        (408, ClusterError),
        (409, ClusterError),
        (429, ClusterError),
        (500, ClusterError),
        (503, ClusterError),
        (None, ClusterError),
    ],
)
def test_what_cannot_be_helped_is_told_from_what_can(status: Any, kind: type[Exception]) -> None:
    assert type(translated(ApiException(status=status, reason="why"))) is kind


@pytest.mark.parametrize(
    "words",
    [
        "failed to create typed patch object (ns/a; apps/v1, Kind=Deployment): .x: not declared",
        "failed to convert new object (ns/a; apps/v1, Kind=Deployment): quantities must match",
    ],
)
def test_what_fits_no_schema_is_refused_whatever_the_status(words: str) -> None:
    error = ApiException(status=500, reason="Internal Server Error")
    error.body = json.dumps({"message": words})
    assert type(translated(error)) is Rejected
    assert str(translated(error)) == words


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"message": "no such quota"}', "no such quota"),
        ("<html>", "why"),
        ("{}", "why"),
        ("[]", "why"),
        (None, "why"),
    ],
    ids=["words", "not json", "no words", "no object", "nothing"],
)
def test_the_apiserver_s_own_words_are_kept(body: str | None, words: str) -> None:
    error = ApiException(status=422, reason="why")
    error.body = body
    assert str(translated(error)) == words


def pod(**fields: Any) -> dict[str, Any]:
    """A pod with an adapter."""
    sidecar = {"name": "adapter", "ports": [{"name": "adapter", "containerPort": 9100}]}
    return (
        make_pod() | {"spec": {"initContainers": [sidecar], "containers": [{"name": "c"}]}} | fields
    )


def test_a_port_is_found_by_its_name_in_whichever_container() -> None:
    assert pod_url(pod(), "adapter") == "http://10.0.0.7:9100"
    assert pod_url(pod(), "other") is None


def test_an_address_of_ipv6_is_in_brackets() -> None:
    assert pod_url(pod(status={"podIP": "fd00::1"}), "adapter") == "http://[fd00::1]:9100"


def test_a_pod_without_an_address_has_no_url() -> None:
    assert pod_url(pod(status={}), "adapter") is None


def test_an_event_is_about_its_resource() -> None:
    event = Event(make_run().identity(), "Warning", "UnknownTask", "x" * 2000)
    made = event_manifest(event, NOW)
    assert re.fullmatch(r"run\.[0-9a-f]{16}", made["metadata"].pop("name"))
    assert len(made.pop("message")) == 1024
    assert made == {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"namespace": "team"},
        "involvedObject": {
            "apiVersion": "proctor.dev/v1alpha1",
            "kind": "EvaluationRun",
            "name": "run",
            "namespace": "team",
            "uid": "uid-of-run",
        },
        "type": "Warning",
        "reason": "UnknownTask",
        "source": {"component": "proctor"},
        "reportingComponent": "proctor.dev/operator",
        "reportingInstance": "proctor",
        "firstTimestamp": STAMP,
        "lastTimestamp": STAMP,
        "count": 1,
    }


def test_two_events_have_two_names() -> None:
    event = Event(make_run().identity(), "Normal", "Finished", "")
    names = {event_manifest(event, NOW)["metadata"]["name"] for _ in range(2)}
    assert len(names) == 2
