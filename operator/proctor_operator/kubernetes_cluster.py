"""`Cluster` on a real Kubernetes: the only import of its client.

Paths follow from kinds by rule: discovery would cost rights, time and a writable disk.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
from kubernetes.aio import client, config
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.dynamic import DynamicClient

from proctor_operator.answer import PLAIN, json_object
from proctor_operator.cluster import ClusterError, Event, Manifest, Ref, Rejected

FIELD_MANAGER = "proctor"
RETRYABLE = {401, 408, 409, 429}
"""Client errors that speak of the moment, a token's renewal say, and not of the object."""
UNFIT = ("failed to create typed patch object", "failed to convert new object")
"""How the apiserver begins to refuse a field or type that the schema does not have: with a 500."""
POD_TIMEOUT = aiohttp.ClientTimeout(total=5)


class KubernetesCluster:
    """Talks to the apiserver that the configuration names; use `async with`."""

    def __init__(self, api: client.ApiClient, http: aiohttp.ClientSession) -> None:
        self._dynamic = DynamicClient(api)
        self._api = api
        self._http = http

    @classmethod
    async def connect(cls, kubeconfig: Path | None = None) -> "KubernetesCluster":
        """As `kubeconfig` says, else as the pod's own account, else as $KUBECONFIG says."""
        chosen = await configuration(kubeconfig)
        http = aiohttp.ClientSession(timeout=POD_TIMEOUT, headers=PLAIN, auto_decompress=False)
        return cls(client.ApiClient(chosen), http)

    async def __aenter__(self) -> "KubernetesCluster":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()
        await self._api.close()

    async def get(self, ref: Ref) -> Manifest | None:
        """See `Cluster.get`."""
        try:
            return await self._request("get", path_of(ref))
        except NotFoundError:
            return None

    async def list(
        self, api_version: str, kind: str, namespace: str, labels: Mapping[str, str]
    ) -> list[Manifest]:
        """See `Cluster.list`."""
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        path = collection(api_version, kind, namespace)
        found = await self._request("get", path, label_selector=selector)
        # Items of a list carry no apiVersion and kind of their own.
        return [item | {"apiVersion": api_version, "kind": kind} for item in found["items"]]

    async def apply(self, manifest: Manifest) -> Manifest:
        """See `Cluster.apply`."""
        return await self._apply(path_of(Ref.of(manifest)), manifest)

    async def apply_status(self, manifest: Manifest) -> Manifest:
        """See `Cluster.apply_status`."""
        return await self._apply(path_of(Ref.of(manifest)) + "/status", manifest)

    async def delete(self, ref: Ref) -> None:
        """See `Cluster.delete`."""
        try:
            await self._request("delete", path_of(ref), propagation_policy="Background")
        except NotFoundError:
            return

    async def create(self, manifest: Manifest) -> Manifest:
        """See `Leases.create`."""
        meta = manifest["metadata"]
        path = collection(manifest["apiVersion"], manifest["kind"], meta["namespace"])
        return await self._request("post", path, body=manifest)

    async def replace(self, manifest: Manifest) -> Manifest:
        """See `Leases.replace`."""
        return await self._request("put", path_of(Ref.of(manifest)), body=manifest)

    async def emit(self, event: Event) -> None:
        """See `Cluster.emit`."""
        body = event_manifest(event, datetime.now(UTC))
        await self.create(body)

    async def get_json(self, pod: Manifest, port: str, path: str) -> Manifest | None:
        """See `Cluster.get_json`."""
        url = pod_url(pod, port)
        if url is None:
            return None
        try:
            async with self._http.get(url + path, allow_redirects=False) as response:
                answered = response.status == 200
                return await json_object(response.content.iter_any()) if answered else None
        except (aiohttp.ClientError, TimeoutError):
            return None

    def service_url(self, namespace: str, name: str, port: int) -> str:
        """See `Cluster.service_url`."""
        return f"http://{name}.{namespace}.svc:{port}"

    async def _apply(self, path: str, manifest: Manifest) -> Manifest:
        return await self._request(
            "patch",
            path,
            body=manifest,
            content_type="application/apply-patch+yaml",
            field_manager=FIELD_MANAGER,
            force_conflicts="true",
        )

    async def _request(self, method: str, path: str, **params: Any) -> Manifest:
        try:
            response = await self._dynamic.request(
                method, path, serialize=False, _request_timeout=30, **params
            )
            body: Manifest = json.loads(await response.read())
        except ApiException as error:
            raise translated(error) from error
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise ClusterError(f"{method} {path}: {error or type(error).__name__}") from error
        return body


async def configuration(kubeconfig: Path | None) -> client.Configuration:
    """Where the apiserver is and who we are; touches no default that other clients share."""
    chosen = client.Configuration()
    if kubeconfig:
        await config.load_kube_config(str(kubeconfig), client_configuration=chosen)
        return chosen
    try:
        config.load_incluster_config(client_configuration=chosen)
    except config.ConfigException:
        await config.load_kube_config(client_configuration=chosen)
    return chosen


class NotFoundError(ClusterError):
    """There is no such object."""


def translated(error: ApiException) -> ClusterError:
    """The client's exception as one of ours, with the apiserver's own words."""
    try:
        message = json.loads(error.body or "")["message"]
    except (ValueError, KeyError, TypeError):
        message = str(error.reason)
    if error.status == 404:
        return NotFoundError(message)
    refused = 400 <= (error.status or 0) < 500 and error.status not in RETRYABLE
    if refused or message.startswith(UNFIT):
        return Rejected(message)
    return ClusterError(f"{error.status}: {message}")


def collection(api_version: str, kind: str, namespace: str) -> str:
    """Path of all objects of a kind in a namespace."""
    root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    return f"{root}/namespaces/{namespace}/{plural(kind)}"


def plural(kind: str) -> str:
    """A kind as paths and roles name it, by the rule of Kubernetes' code generator."""
    word = kind.lower()
    if word.endswith("s"):
        return word + "es"
    return word.removesuffix("y") + "ies" if word.endswith("y") else word + "s"


def path_of(ref: Ref) -> str:
    """Path of one object."""
    return f"{collection(ref.api_version, ref.kind, ref.namespace)}/{ref.name}"


def pod_url(pod: Manifest, port: str) -> str | None:
    """Address of a named container port, or None while the pod has no IP."""
    address = pod.get("status", {}).get("podIP")
    spec = pod["spec"]
    for container in [*spec.get("initContainers", []), *spec["containers"]]:
        for found in container.get("ports", []):
            if found.get("name") == port and address:
                host = f"[{address}]" if ":" in address else address
                return f"http://{host}:{found['containerPort']}"
    return None


def event_manifest(event: Event, now: datetime) -> Manifest:
    """A core/v1 Event."""
    meta = event.regarding["metadata"]
    when = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    involved = {"apiVersion": event.regarding["apiVersion"], "kind": event.regarding["kind"]}
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{meta['name']}.{uuid4().hex[:16]}",
            "namespace": meta["namespace"],
        },
        "involvedObject": involved
        | {"name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"]},
        "type": event.type,
        "reason": event.reason,
        "message": event.message[:1024],
        "source": {"component": "proctor"},
        "reportingComponent": "proctor.dev/operator",
        "reportingInstance": "proctor",
        "firstTimestamp": when,
        "lastTimestamp": when,
        "count": 1,
    }
