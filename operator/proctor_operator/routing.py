"""Which parents to look at when an object changes.

Watches say only that something happened; the answer is always a key to reconcile.
"""

from dataclasses import dataclass, field

from proctor_crds.kinds import EVALUATION_RUN, MODEL_DEPLOYMENT
from proctor_operator.children.naming import DEPLOYMENT_LABEL, RUN_LABEL
from proctor_operator.cluster import Manifest

PARENT_LABELS = {DEPLOYMENT_LABEL: MODEL_DEPLOYMENT.name, RUN_LABEL: EVALUATION_RUN.name}


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """Names a resource to reconcile."""

    kind: str
    namespace: str
    name: str

    @classmethod
    def of(cls, manifest: Manifest) -> "Key":
        """The key of a custom resource."""
        meta = manifest["metadata"]
        return cls(manifest["kind"], meta["namespace"], meta["name"])


@dataclass(slots=True)
class Router:
    """Knows which runs wait for which deployment, from the runs that passed by."""

    runs_of: dict[Key, set[Key]] = field(default_factory=dict)

    def keys(self, manifest: Manifest) -> set[Key]:
        """What to reconcile because of `manifest`, in whatever way it changed."""
        kind = manifest.get("kind")
        if kind == MODEL_DEPLOYMENT.name:
            key = Key.of(manifest)
            return {key, *self.runs_of.get(key, set())}
        if kind == EVALUATION_RUN.name:
            self.remember(manifest)
            return {Key.of(manifest)}
        return parents(manifest)

    def remember(self, run: Manifest) -> None:
        """Note the run's target, so that the target's events reach the run."""
        target = (run.get("spec") or {}).get("target") or {}
        name = (target.get("deploymentRef") or {}).get("name")
        key = Key.of(run)
        for runs in self.runs_of.values():
            runs.discard(key)
        if name and "deletionTimestamp" not in run["metadata"]:
            deployment = Key(MODEL_DEPLOYMENT.name, key.namespace, name)
            self.runs_of.setdefault(deployment, set()).add(key)


def parents(manifest: Manifest) -> set[Key]:
    """The parents that a child's labels name."""
    meta = manifest["metadata"]
    labels = meta.get("labels") or {}
    return {
        Key(kind, meta["namespace"], labels[label])
        for label, kind in PARENT_LABELS.items()
        if label in labels
    }
