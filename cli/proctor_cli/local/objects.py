"""Reading and naming Kubernetes objects held as JSON."""

import hashlib
import json
import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from proctor_operator.cluster import Manifest, Ref

GPU = "nvidia.com/gpu"
_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # Kubernetes': no vowels, so no words


class Change(NamedTuple):
    """What a watcher is told: the object as it now is, or as it last was."""

    type: Literal["ADDED", "MODIFIED", "DELETED"]
    object: Manifest

    @property
    def ref(self) -> Ref:
        """The object that changed."""
        return Ref.of(self.object)


Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The present, as `LocalCluster` knows it unless told otherwise."""
    return datetime.now(UTC)


def timestamp(moment: datetime) -> str:
    """`moment` as Kubernetes writes it: whole seconds, UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_timestamp(text: str) -> datetime:
    """The moment that `timestamp` wrote."""
    return datetime.fromisoformat(text)


def uid(manifest: Manifest) -> str:
    """The identity of this incarnation of the object."""
    return str(manifest["metadata"]["uid"])


def owned(objects: Iterable[Manifest], owner: Manifest) -> list[Manifest]:
    """Those of `objects` that `owner` controls."""
    return [each for each in objects if uid(owner) in owner_uids(each)]


def owner_uids(manifest: Manifest) -> set[str]:
    """Identities of everything that the object depends on."""
    return {owner["uid"] for owner in manifest["metadata"].get("ownerReferences", [])}


def controller_ref(owner: Manifest) -> Manifest:
    """The ownerReference by which `owner` controls a dependent."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": uid(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def matches(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether `labels` has every pair of `wanted`."""
    return wanted.items() <= labels.items()


def deleting(manifest: Manifest) -> bool:
    """Whether the object is on its way out."""
    return "deletionTimestamp" in manifest["metadata"]


def condition(manifest: Manifest, kind: str) -> Manifest | None:
    """The status condition of type `kind`."""
    conditions = manifest.get("status", {}).get("conditions", [])
    return next((each for each in conditions if each["type"] == kind), None)


def holds(manifest: Manifest, kind: str) -> bool:
    """Whether the condition of type `kind` is True."""
    found = condition(manifest, kind)
    return found is not None and found["status"] == "True"


def with_condition(conditions: list[Manifest], new: Manifest, now: str) -> list[Manifest]:
    """`conditions` with `new` in place of its type; the transition time moves with `status`."""
    old = next((each for each in conditions if each["type"] == new["type"]), None)
    unmoved = old is not None and old["status"] == new["status"]
    since = old["lastTransitionTime"] if old and unmoved else now
    stamped = {**new, "lastTransitionTime": since}
    if old is None:
        return [*conditions, stamped]
    return [stamped if each is old else each for each in conditions]


def without_zeros(fields: Mapping[str, Any]) -> Manifest:
    """Kubernetes leaves counters at zero out of a status (`omitempty`)."""
    return {key: value for key, value in fields.items() if value not in (0, None)}


def digest(content: Any) -> str:
    """A short stable name for JSON `content`."""
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def random_suffix() -> str:
    """Five characters, as at the end of a pod's name."""
    return "".join(secrets.choice(_SUFFIX_ALPHABET) for _ in range(5))
