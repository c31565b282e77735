"""What the real cluster's client says and understands, without an apiserver."""

import asyncio
import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
from kubernetes.aio.client.exceptions import ApiException

from proctor_operator.cluster import ClusterError, Event, Ref, Rejected
from proctor_operator.kubernetes_cluster import (
    KubernetesCluster,
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


KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}],
    "users": [{"name": "u", "user": {}}],
    "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
    "current-context": "x",
}


async def answer_of(head: bytes, body: bytes, directory: Path) -> tuple[Any, bytes]:
    """What the cluster hears of a pod that answers so, and what it had asked."""
    asked = b""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n" + head + b"\r\n" + body)
        writer.close()

    kubeconfig = directory / "kubeconfig"
    kubeconfig.write_text(json.dumps(KUBECONFIG))
    async with (
        await asyncio.start_server(serve, "127.0.0.1", 0) as server,
        await KubernetesCluster.connect(kubeconfig) as cluster,
    ):
        port = {"name": "http", "containerPort": server.sockets[0].getsockname()[1]}
        spec = {"containers": [{"name": "c", "ports": [port]}]}
        asking = pod(spec=spec, status={"podIP": "127.0.0.1"})
        return await cluster.get_json(asking, "http", "/progress"), asked


async def test_a_pod_is_asked_for_a_plain_answer(tmp_path: Path) -> None:
    answer, asked = await answer_of(b"", b'{"done": 3}', tmp_path)
    assert answer == {"done": 3}
    assert b"accept-encoding: identity\r\n" in asked.lower()


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (b"content-encoding: gzip\r\n", gzip.compress(b'{"done": 3}')),
        (b"content-encoding: gzip\r\n", gzip.compress(b'{"a": "%b"}' % (b"x" * 10_000_000))),
        (b"", b'{"a": "%b"}' % (b"x" * 10_000_000)),
        (b"", b"["),
        (b"", b"[1]"),
        (b"", b'{"a":' * 10_000),
        (b"content-length: 9\r\n", b"{}"),
    ],
    ids=["compressed", "bomb", "long", "no json", "no object", "deep", "cut"],
)
async def test_any_other_answer_is_none(head: bytes, body: bytes, tmp_path: Path) -> None:
    answer, _ = await answer_of(head, body, tmp_path)
    assert answer is None


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
