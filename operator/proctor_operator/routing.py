"""Which parents to look at when an object changes.

Watches say only that something happened; the answer is always a key to reconcile.
"""

from dataclasses import dataclass, field

from proctor_crds.kinds import EVALUATION_RUN, KINDS, MODEL_DEPLOYMENT
from proctor_operator.children.naming import DEPLOYMENT_LABEL, RUN_LABEL
from proctor_operator.cluster import Manifest
from proctor_operator.metadata import ending

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

    target_of: dict[Key, Key] = field(default_factory=dict)
    runs_of: dict[Key, set[Key]] = field(default_factory=dict)

    def keys(self, manifest: Manifest) -> set[Key]:
        """What to reconcile because `manifest` was made or changed."""
        kind = manifest.get("kind")
        if kind == MODEL_DEPLOYMENT.name:
            key = Key.of(manifest)
            return {key, *self.runs_of.get(key, set())}
        if kind == EVALUATION_RUN.name:
            self.remember(manifest)
            return {Key.of(manifest)}
        return parents(manifest)

    def keys_of_deleted(self, manifest: Manifest) -> set[Key]:
        """What to reconcile because `manifest` is no more."""
        keys = self.keys(manifest)
        if manifest.get("kind") == EVALUATION_RUN.name:
            self.forget(Key.of(manifest))
        return keys

    def remember(self, run: Manifest) -> None:
        """Note the run's target, so that the target's events reach the run."""
        key, name = Key.of(run), target_name(run)
        self.forget(key)
        if name and not ending(run):
            deployment = Key(MODEL_DEPLOYMENT.name, key.namespace, name)
            self.target_of[key] = deployment
            self.runs_of.setdefault(deployment, set()).add(key)

    def forget(self, run: Key) -> None:
        """The run waits for nothing; what nobody waits for is not kept."""
        deployment = self.target_of.pop(run, None)
        if deployment:
            self.runs_of[deployment].discard(run)
            if not self.runs_of[deployment]:
                del self.runs_of[deployment]


def target_name(run: Manifest) -> str | None:
    """The deployment that a run names, of a spec that nobody has checked yet."""
    target = (run.get("spec") or {}).get("target") or {}
    name: str | None = (target.get("deploymentRef") or {}).get("name")
    return name


def parents(manifest: Manifest) -> set[Key]:
    """The parents that a child's labels name, and those that own it, should it lose its labels."""
    meta = manifest["metadata"]
    labels, owners = meta.get("labels") or {}, meta.get("ownerReferences", [])
    labelled = {kind: labels[label] for label, kind in PARENT_LABELS.items() if label in labels}
    owning = {ref["kind"]: ref["name"] for ref in owners if ref["kind"] in KINDS}
    named = {*labelled.items(), *owning.items()}
    return {Key(kind, meta["namespace"], name) for kind, name in named}
