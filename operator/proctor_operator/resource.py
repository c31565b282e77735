"""A custom resource after parsing: metadata, typed spec, and the status it had."""

from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from proctor_crds.base import Model
from proctor_crds.common import API_VERSION
from proctor_crds.kinds import Kind
from proctor_crds.validation import check_name, parse
from proctor_operator.cluster import Manifest, Ref

S = TypeVar("S", bound=Model)


@dataclass(frozen=True, slots=True)
class Resource(Generic[S]):
    """One ModelDeployment or EvaluationRun."""

    kind: str
    namespace: str
    name: str
    uid: str
    generation: int
    spec: S
    status: Manifest
    """The status as it was stored, possibly by an older version: read it with care."""

    @property
    def ref(self) -> Ref:
        """Its reference."""
        return Ref(API_VERSION, self.kind, self.namespace, self.name)

    @property
    def owner_reference(self) -> Manifest:
        """What makes a child go with this resource."""
        return {
            "apiVersion": API_VERSION,
            "kind": self.kind,
            "name": self.name,
            "uid": self.uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }

    def identity(self) -> Manifest:
        """An object that names this resource and nothing else, for status and events."""
        meta = {"name": self.name, "namespace": self.namespace, "uid": self.uid}
        return {"apiVersion": API_VERSION, "kind": self.kind, "metadata": meta}


def unparsed(manifest: Manifest) -> Resource[Any]:
    """The metadata and status of a stored object; its spec is left as it is."""
    meta = manifest["metadata"]
    return Resource(
        kind=manifest["kind"],
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        generation=meta.get("generation", 0),
        spec=manifest.get("spec"),
        status=manifest.get("status") or {},
    )


def parsed(resource: Resource[Any], kind: Kind) -> Resource[Any]:
    """The same with its spec typed. Raises SpecInvalidError.

    Fields of later versions are left out: a default that another version's CRD adds to every
    object must not make them all invalid.
    """
    check_name(resource.name)
    return replace(resource, spec=parse(kind.spec, resource.spec, extra="ignore"))
