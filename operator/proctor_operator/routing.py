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

    waits_for: dict[Key, set[Key]] = field(default_factory=dict)
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
        """Note the run's target and judges, so that their events reach the run."""
        key = Key.of(run)
        self.forget(key)
        names = set() if ending(run) else deployments(run)
        for name in names:
            deployment = Key(MODEL_DEPLOYMENT.name, key.namespace, name)
            self.waits_for.setdefault(key, set()).add(deployment)
            self.runs_of.setdefault(deployment, set()).add(key)

    def forget(self, run: Key) -> None:
        """The run waits for nothing; what nobody waits for is not kept."""
        for deployment in self.waits_for.pop(run, set()):
            self.runs_of[deployment].discard(run)
            if not self.runs_of[deployment]:
                del self.runs_of[deployment]


def deployments(run: Manifest) -> set[str]:
    """The deployments that a run names, of a spec that nobody has checked yet."""
    spec = run.get("spec") or {}
    refs = [(spec.get("target") or {}).get("deploymentRef")]
    refs += [evaluation.get("judgeRef") for evaluation in spec.get("evaluations") or []]
    names = [ref.get("name") for ref in refs if ref]
    return {name for name in names if name}


def parents(manifest: Manifest) -> set[Key]:
    """The parents that a child's labels name, and those that own it, should it lose its labels."""
    meta = manifest["metadata"]
    labels, owners = meta.get("labels") or {}, meta.get("ownerReferences", [])
    labelled = {kind: labels[label] for label, kind in PARENT_LABELS.items() if label in labels}
    owning = {ref["kind"]: ref["name"] for ref in owners if ref["kind"] in KINDS}
    named = {*labelled.items(), *owning.items()}
    return {Key(kind, meta["namespace"], name) for kind, name in named}
