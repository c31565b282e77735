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


@dataclass(frozen=True, slots=True)
class Seen:
    """What of a parent is a reason to look at it: its status alone, which we write, is none."""

    uid: str
    generation: int
    waits_for: frozenset[Key]
    """The deployments whose changes concern it."""

    @classmethod
    def of(cls, parent: Manifest) -> "Seen":
        """A parent as it is now; one that is through waits for nothing."""
        meta = parent["metadata"]
        names = set() if ending(parent) or finished(parent) else deployments(parent)
        awaited = (Key(MODEL_DEPLOYMENT.name, meta["namespace"], name) for name in names)
        return cls(meta["uid"], meta.get("generation", 0), frozenset(awaited))


@dataclass(slots=True)
class Router:
    """Knows the parents that passed by, and which runs among them wait for which deployment."""

    seen: dict[Key, Seen] = field(default_factory=dict)
    runs_of: dict[Key, set[Key]] = field(default_factory=dict)

    def keys(self, manifest: Manifest) -> set[Key]:
        """What to reconcile because `manifest` was made or changed."""
        if manifest.get("kind") not in KINDS:
            return parents(manifest)
        key = Key.of(manifest)
        own = {key} if self.remember(manifest) else set()
        return own | self.runs_of.get(key, set())

    def keys_of_deleted(self, manifest: Manifest) -> set[Key]:
        """What to reconcile because `manifest` is no more."""
        if manifest.get("kind") not in KINDS:
            return parents(manifest)
        key = Key.of(manifest)
        self.forget(key)
        return {key, *self.runs_of.get(key, set())}

    def remember(self, parent: Manifest) -> bool:
        """Note what it waits for, whose events then reach it; returns whether to look at it."""
        key, now = Key.of(parent), Seen.of(parent)
        if self.seen.get(key) == now:
            return False
        self.forget(key)
        self.seen[key] = now
        for deployment in now.waits_for:
            self.runs_of.setdefault(deployment, set()).add(key)
        return True

    def forget(self, parent: Key) -> None:
        """It waits for nothing; what nobody waits for is not kept."""
        seen = self.seen.pop(parent, None)
        for deployment in seen.waits_for if seen else ():
            self.runs_of[deployment].discard(parent)
            if not self.runs_of[deployment]:
                del self.runs_of[deployment]


def finished(run: Manifest) -> bool:
    """Whether a run ended as its spec is now; a changed one may start anew."""
    status = run.get("status") or {}
    same = status.get("observedGeneration") == run["metadata"].get("generation")
    return same and "completionTime" in status


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
