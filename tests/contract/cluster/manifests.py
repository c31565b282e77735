"""Manifests of the contract suite, and waiting for what becomes of them."""

import asyncio
from collections.abc import Callable
from typing import Any

from proctor_operator.cluster import Cluster, Manifest, Ref


def config_map(namespace: str, name: str = "settings", **data: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        "data": data,
    }


def container(image: str, code: str, name: str = "main", **fields: Any) -> Manifest:
    return {"name": name, "image": image, "command": ["python", "-c", code], **fields}


def termination_message(text: str, code: int) -> str:
    """Python that says `text` at its end."""
    write = f"open(os.environ['TERMINATION_MESSAGE_PATH'], 'w').write({text!r})"
    return f"import os, sys; {write}; sys.exit({code})"


PATIENCE_SECONDS = 60
POLL_SECONDS = 0.05

MESSAGE_PATH = [{"name": "TERMINATION_MESSAGE_PATH", "value": "/dev/termination-log"}]

SLEEP = "import time; time.sleep(600)"

SERVE = """
import gzip, http.server, json, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        status, body = ANSWERS.get(self.path, (200, json.dumps({"path": self.path})))
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/")
        if self.path == "/bomb":
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self.wfile.write(body if isinstance(body, bytes) else body.encode())
LONG = json.dumps({"long": " " * 10_000_000})
ANSWERS = {
    "/text": (200, "all is well"),
    "/none": (404, "{}"),
    "/moved": (302, "{}"),
    "/list": (200, "[1]"),
    "/deep": (200, '{"a":' * 9000 + "1" + "}" * 9000),
    "/long": (200, LONG),
    "/bomb": (200, gzip.compress(LONG.encode())),
}
address = (os.environ["BIND_ADDRESS"], int(os.environ["PORT_HTTP"]))
http.server.ThreadingHTTPServer(address, Handler).serve_forever()
"""


def server(image: str, **fields: Any) -> Manifest:
    """A container that serves JSON on its port `http`."""
    env = [{"name": "PORT_HTTP", "value": "8080"}, {"name": "BIND_ADDRESS", "value": "0.0.0.0"}]  # noqa: S104
    ports = [{"name": "http", "containerPort": 8080}]
    probe = {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1}
    return container(image, SERVE, env=env, ports=ports, readinessProbe=probe, **fields)


def sidecar(image: str) -> Manifest:
    """The same, as a container beside the main one, which starts once this one serves."""
    made = server(image, restartPolicy="Always") | {"name": "adapter"}
    return made | {"startupProbe": made.pop("readinessProbe") | {"failureThreshold": 30}}


def pod(namespace: str, *containers: Manifest, name: str = "pod", **spec: Any) -> Manifest:
    meta = {"name": name, "namespace": namespace, "labels": {"app": name}}
    grace = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": meta,
        "spec": {"containers": list(containers), **grace, **spec},
    }


def template(*containers: Manifest, **spec: Any) -> Manifest:
    grace = {"terminationGracePeriodSeconds": 1}
    labels = {"app": "subject"}
    return {
        "metadata": {"labels": labels},
        "spec": {"containers": list(containers), **grace, **spec},
    }


def deployment(namespace: str, *containers: Manifest, **spec: Any) -> Manifest:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "serve", "namespace": namespace},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "subject"}},
            "template": template(*containers),
            **spec,
        },
    }


def job(
    namespace: str, *containers: Manifest, pod: Manifest | None = None, **spec: Any
) -> Manifest:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "work", "namespace": namespace},
        "spec": {
            "backoffLimit": 0,
            "template": template(*containers, restartPolicy="Never", **(pod or {})),
            **spec,
        },
    }


async def until(
    cluster: Cluster,
    manifest: Manifest,
    holds: Callable[[Manifest], Any],
    seconds: float = PATIENCE_SECONDS,
) -> Manifest:
    """The object, as soon as `holds` is true of it."""
    found: Manifest | None = None
    try:
        async with asyncio.timeout(seconds):
            while True:
                found = await cluster.get(Ref.of(manifest))
                if found is not None and holds(found):
                    return found
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise AssertionError(f"never came true; the object is {found}") from None


async def gone(cluster: Cluster, manifest: Manifest, seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until the object is no more."""
    async with asyncio.timeout(seconds):
        while await cluster.get(Ref.of(manifest)) is not None:  # noqa: ASYNC110  no watch in the seam
            await asyncio.sleep(POLL_SECONDS)


async def pods_of(cluster: Cluster, namespace: str, **labels: str) -> list[Manifest]:
    return await cluster.list("v1", "Pod", namespace, labels or {"app": "subject"})


async def some_pod(
    cluster: Cluster,
    namespace: str,
    holds: Callable[[Manifest], Any],
    seconds: float = PATIENCE_SECONDS,
) -> Manifest:
    """A workload's pod, as soon as `holds` is true of one."""
    found: list[Manifest] = []
    try:
        async with asyncio.timeout(seconds):
            while True:
                found = await pods_of(cluster, namespace)
                for each in found:
                    if holds(each):
                        return each
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise AssertionError(f"never came true; the pods are {found}") from None


def waiting(pod: Manifest, reason: str, message: str | None = None) -> bool:
    """Whether the pod's first container waits for `reason`, in these words if any are given."""
    states = [each["state"] for each in pod.get("status", {}).get("containerStatuses", [])]
    found = states[0].get("waiting", {}) if states else {}
    return found.get("reason") == reason and message in (None, found.get("message"))


def terminated(pod: Manifest) -> Manifest | None:
    """The end of the pod's first container."""
    statuses = pod.get("status", {}).get("containerStatuses", [])
    return statuses[0]["state"].get("terminated") if statuses else None


def restarts(pod: Manifest) -> int:
    """How often the pod's first container was started again."""
    statuses = pod.get("status", {}).get("containerStatuses", [])
    return statuses[0]["restartCount"] if statuses else 0


def phase(pod: Manifest) -> str:
    return str(pod.get("status", {}).get("phase"))


def condition(manifest: Manifest, kind: str) -> Manifest:
    """The status condition of type `kind`, or nothing."""
    conditions: list[Manifest] = manifest.get("status", {}).get("conditions", [])
    return next((each for each in conditions if each["type"] == kind), {})


def holds(kind: str) -> Callable[[Manifest], bool]:
    return lambda manifest: condition(manifest, kind).get("status") == "True"
