"""A `Cluster` that is a dictionary."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from proctor_operator.cluster import ClusterError, Event, Manifest, Ref, Rejected


@dataclass
class Memory:
    """A `Cluster` without controllers: objects are what was applied."""

    objects: dict[Ref, Manifest] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    statuses: list[Manifest] = field(default_factory=list)
    refused: frozenset[str] = frozenset()
    failing: frozenset[str] = frozenset()
    untold: frozenset[str] = frozenset()
    answers: dict[str, Manifest | None] = field(default_factory=dict)

    async def get(self, ref: Ref) -> Manifest | None:
        return self.objects.get(ref)

    async def list(
        self, api_version: str, kind: str, namespace: str, labels: Mapping[str, str]
    ) -> list[Manifest]:
        wanted = (api_version, kind, namespace)
        found = [
            m for r, m in self.objects.items() if (r.api_version, r.kind, r.namespace) == wanted
        ]
        return [m for m in found if labels.items() <= m["metadata"].get("labels", {}).items()]

    async def apply(self, manifest: Manifest) -> Manifest:
        if manifest["kind"] in self.refused:
            raise Rejected("exceeded quota")
        if manifest["kind"] in self.failing:
            raise ClusterError("500: failed calling webhook")
        uid = f"uid-of-{manifest['metadata']['name']}"
        stored = {**manifest, "metadata": {"uid": uid} | manifest["metadata"]}
        self.objects[Ref.of(manifest)] = stored
        return stored

    async def apply_status(self, manifest: Manifest) -> Manifest:
        found = self.objects.get(Ref.of(manifest))
        if found is None:
            raise ClusterError("404: not found")
        if found["metadata"]["uid"] != manifest["metadata"]["uid"]:
            raise ClusterError("409: Precondition failed: UID in precondition")
        self.statuses.append(manifest["status"])
        found["status"] = manifest["status"]
        return manifest

    async def delete(self, ref: Ref) -> None:
        self.objects.pop(ref, None)

    async def emit(self, event: Event) -> None:
        if event.reason in self.untold:
            raise ClusterError("429: too many requests")
        self.events.append(event)

    async def get_json(self, pod: Manifest, port: str, path: str) -> Manifest | None:  # noqa: ARG002
        return self.answers.get(path)

    def service_url(self, namespace: str, name: str, port: int) -> str:
        return f"http://{name}.{namespace}:{port}"


def holding(*manifests: Manifest, refused: str = "") -> Memory:
    """A cluster that holds these objects."""
    objects = {Ref.of(manifest): manifest for manifest in manifests}
    return Memory(objects, refused=frozenset(filter(None, [refused])))


def kinds(cluster: Memory) -> list[str]:
    """Kinds of all objects."""
    return sorted(ref.kind for ref in cluster.objects)
