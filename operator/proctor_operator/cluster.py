"""The seam between the controller and whatever runs its pods.

`Cluster` is all that reconciling needs of Kubernetes. `proctor_operator.kubernetes_cluster` is the
real one; `proctor_cli.local` runs the same manifests as processes on this machine. One contract
test suite holds both to this page.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Manifest = dict[str, Any]
"""A Kubernetes object as JSON."""


@dataclass(frozen=True, slots=True)
class Ref:
    """Names one object."""

    api_version: str
    kind: str
    namespace: str
    name: str

    @classmethod
    def of(cls, manifest: Manifest) -> "Ref":
        """The reference that `manifest` answers to."""
        meta = manifest["metadata"]
        return cls(manifest["apiVersion"], manifest["kind"], meta["namespace"], meta["name"])


@dataclass(frozen=True, slots=True)
class Event:
    """A transition worth telling a person, shown by `kubectl describe`."""

    regarding: Manifest
    type: Literal["Normal", "Warning"]
    reason: str
    message: str


class ClusterError(Exception):
    """The cluster could not answer; the caller's work queue retries."""


class Rejected(ClusterError):  # noqa: N818  named for what the cluster did
    """The cluster refuses this object as it stands (4xx): retrying the same bytes cannot help."""


class Cluster(Protocol):
    """Reads, server-side applies and deletes objects. Raises `ClusterError`."""

    async def get(self, ref: Ref) -> Manifest | None:
        """The object, or None where there is none."""
        ...

    async def list(
        self, api_version: str, kind: str, namespace: str, labels: Mapping[str, str]
    ) -> list[Manifest]:
        """Objects of one kind that carry all `labels`."""
        ...

    async def apply(self, manifest: Manifest) -> Manifest:
        """Server-side apply as field manager `proctor`: fields no longer given are removed."""
        ...

    async def apply_status(self, manifest: Manifest) -> Manifest:
        """Server-side apply of `manifest["status"]` through the status subresource."""
        ...

    async def delete(self, ref: Ref) -> None:
        """Delete with background propagation to dependents; absence is success."""
        ...

    async def emit(self, event: Event) -> None:
        """Record an event."""
        ...

    async def get_json(self, pod: Manifest, port: str, path: str) -> Manifest | None:
        """GET `path` from the pod's container port named `port`.

        None unless 200 with a JSON object, neither compressed nor longer than `answer.LONGEST`.
        """
        ...

    def service_url(self, namespace: str, name: str, port: int) -> str:
        """Base URL (no trailing slash) at which pods of this cluster reach a Service."""
        ...
