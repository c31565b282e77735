"""The target of a run: whether it answers, and how its Jobs reach it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from proctor_crds.common import LocalRef
from proctor_crds.evaluation_run import EvaluationRunSpec, Target
from proctor_crds.reasons import ConditionType, Reason
from proctor_operator.children.naming import digest
from proctor_operator.children.serving import PORTS
from proctor_operator.children.upstream import Upstream
from proctor_operator.cluster import Cluster, Manifest, Ref
from proctor_operator.metadata import ending
from proctor_operator.status import FALSE, TRUE, Condition, find

SCORES_DEPEND_ON = ("model", "backend", "parallelism", "engine")
API_SCORES_DEPEND_ON = ("toolCallParser", "reasoningParser")
"""Fields of a ModelDeployment; a change of any other leaves a running evaluation alone."""


@dataclass(frozen=True, slots=True)
class ObservedTarget:
    """The target as found."""

    condition: Condition
    upstream: Upstream | None = None
    """How to reach it; None where it does not exist."""
    deployment: Manifest | None = None

    @property
    def ready(self) -> bool:
        """Whether Jobs may start."""
        return self.condition.status == TRUE

    def provenance(self) -> Manifest:
        """What scores come from, as the deployment's status tells it."""
        if not self.deployment:
            return {}
        status = self.deployment.get("status") or {}
        found = {
            "servedModel": status.get("servedModel"),
            "checkpointDigest": status.get("checkpointDigest"),
            "runtimeImage": status.get("imageDigest"),
            "deploymentGeneration": self.deployment["metadata"].get("generation"),
        }
        return {key: value for key, value in found.items() if value is not None}


async def observe(target: Target, namespace: str, cluster: Cluster) -> ObservedTarget:
    """Look the target up."""
    if target.endpoint:
        end = target.endpoint
        upstream = Upstream(base_url(end.url), end.model, api_key=end.api_key_secret_ref)
        words = f"{end.url} is outside Proctor: it is asked without waiting"
        return ObservedTarget(answers(words), upstream)
    name = target.deployment_ref.name if target.deployment_ref else ""
    ref = Ref("proctor.dev/v1alpha1", "ModelDeployment", namespace, name)
    found = await cluster.get(ref)
    url = cluster.service_url(namespace, name, PORTS["http"])
    return of_deployment(name, None if found and ending(found) else found, url)


def base_url(url: str) -> str:
    """Where `/v1/...` is appended: OpenAI's clients want the `/v1` in the URL, and so do people."""
    # A host may be called v1.
    return re.sub("(?<=[^/])/v1/*$", "", url).rstrip("/")


async def observe_all(spec: EvaluationRunSpec, namespace: str, cluster: Cluster) -> ObservedTarget:
    """The target and the judges of all evaluations, as one: none is asked before all answer."""
    target = await observe(spec.target, namespace, cluster)
    names = sorted({e.judge_ref.name for e in spec.evaluations if e.judge_ref})
    refs = [Target(deployment_ref=LocalRef(name=name)) for name in names]
    judges = [await observe(ref, namespace, cluster) for ref in refs]
    return with_judges(target, dict(zip(names, judges, strict=True)))


def with_judges(target: ObservedTarget, judges: Mapping[str, ObservedTarget]) -> ObservedTarget:
    """The target, ready when each judge is too; without a judge as without a target."""
    known = {name: judge.upstream for name, judge in judges.items() if judge.upstream}
    closed = [judge.condition for judge in judges.values() if not judge.ready]
    condition = next(iter(closed), target.condition) if target.ready else target.condition
    if target.upstream is None or len(known) < len(judges):
        return replace(target, condition=condition, upstream=None)
    upstream = replace(target.upstream, judges=known)
    return replace(target, condition=condition, upstream=upstream)


def of_deployment(name: str, found: Manifest | None, url: str) -> ObservedTarget:
    """The target that a ModelDeployment amounts to."""
    if found is None:
        words = f"ModelDeployment {name} does not exist; the run starts when it appears"
        return ObservedTarget(waiting(Reason.DEPLOYMENT_NOT_FOUND, words))
    served = at(found, "spec", "model", "servedName")
    if not isinstance(served, str):
        words = f"ModelDeployment {name} has no spec.model.servedName: apply it anew"
        return ObservedTarget(waiting(Reason.DEPLOYMENT_NOT_READY, words), deployment=found)
    identity = digest(scored_by(found))
    context = at(found, "spec", "engine", "maxSequenceLength")
    upstream = Upstream(
        url,
        served,
        identity,
        uid=str(at(found, "metadata", "uid") or ""),
        context_length=context if isinstance(context, int) else None,
    )
    return ObservedTarget(readiness(name, found), upstream, found)


def scored_by(found: Manifest) -> Manifest:
    """The fields of a deployment that scores depend on.

    Fields that came later are there if they are set: else an upgrade would make all Jobs anew.
    """
    later = {key: at(found, "spec", "api", key) for key in API_SCORES_DEPEND_ON}
    given = {key: value for key, value in later.items() if value is not None}
    always = {key: at(found, "spec", key) for key in SCORES_DEPEND_ON}
    return always | ({"api": given} if given else {})


def at(stored: Any, *path: str) -> Any:
    """What lies at `path` of an object stored under another version of its CRD, or None."""
    for step in path:
        stored = stored.get(step) if isinstance(stored, dict) else None
    return stored


def readiness(name: str, deployment: Manifest) -> Condition:
    """TargetReady of a deployment that exists."""
    status = deployment.get("status") or {}
    known = status.get("conditions", [])
    # Of one that cannot be accepted nothing else is known.
    told = find(known, ConditionType.READY) or find(known, ConditionType.ACCEPTED)
    if status.get("observedGeneration") != deployment["metadata"].get("generation") or not told:
        return waiting(Reason.DEPLOYMENT_NOT_READY, f"ModelDeployment {name} is being looked at")
    if (told["type"], told["status"]) == (ConditionType.READY, TRUE):
        return answers(f"ModelDeployment {name}: {told['message']}")
    words = f"ModelDeployment {name} is not {told['type']}: {told['reason']}: {told['message']}"
    return waiting(Reason.DEPLOYMENT_NOT_READY, words)


def answers(words: str) -> Condition:
    """TargetReady=True."""
    return Condition(ConditionType.TARGET_READY, TRUE, Reason.TARGET_ANSWERS, words)


def waiting(reason: Reason, words: str) -> Condition:
    """TargetReady=False."""
    return Condition(ConditionType.TARGET_READY, FALSE, reason, words)
