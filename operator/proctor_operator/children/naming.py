"""Names and labels of children: stable, at most 63 characters, and found again by selector."""

import hashlib
import json
from typing import Any

from proctor_operator.cluster import Manifest
from proctor_operator.resource import Resource

MANAGED_BY = {"app.kubernetes.io/managed-by": "proctor"}
DEPLOYMENT_LABEL = "proctor.dev/deployment"
RUN_LABEL = "proctor.dev/run"
EVALUATION_LABEL = "proctor.dev/evaluation"
TEMPLATE_LABEL = "proctor.dev/template"
NAME_LIMIT = 63


def digest(content: Any) -> str:
    """Ten hexadecimal digits that stand for JSON `content`."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:10]


def bounded(name: str, limit: int = NAME_LIMIT) -> str:
    """`name`, shortened with a hash of the whole where it is too long for a label or a Service."""
    if len(name) <= limit:
        return name
    suffix = digest(name)
    return f"{name[: limit - len(suffix) - 1].rstrip('-.')}-{suffix}"


def hashed_name(prefix: str, content: Any, limit: int = NAME_LIMIT) -> str:
    """A name for a child that must be made anew whenever `content` changes."""
    suffix = digest(content)
    return f"{bounded(prefix, limit - len(suffix) - 1)}-{suffix}"


def owner_labels(owner: Resource[Any]) -> dict[str, str]:
    """Labels by which the children of `owner` are found."""
    label = RUN_LABEL if owner.kind == "EvaluationRun" else DEPLOYMENT_LABEL
    return MANAGED_BY | {label: bounded(owner.name)}


def child(owner: Resource[Any], api_version: str, kind: str, name: str, **fields: Any) -> Manifest:
    """An object owned by `owner`; nothing of the owner's own labels or annotations is copied.

    Copied labels would make Argo CD take the children for its own and prune them.
    """
    meta = {
        "name": name,
        "namespace": owner.namespace,
        "labels": owner_labels(owner),
        "ownerReferences": [owner.owner_reference],
    }
    return {"apiVersion": api_version, "kind": kind, "metadata": meta, **fields}


def below(root: str, path: str) -> str:
    """A volume's subPath: relative, without `.`."""
    return "/".join(part for part in f"{root}/{path}".split("/") if part not in ("", "."))
