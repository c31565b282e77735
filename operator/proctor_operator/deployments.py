"""ModelDeployment: what is observed of it, what it should have, and what that amounts to."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from proctor_crds.model_deployment import ModelDeploymentSpec
from proctor_crds.reasons import ConditionType, Reason
from proctor_operator.children import serving
from proctor_operator.children.naming import TEMPLATE_LABEL, owner_labels
from proctor_operator.cluster import Cluster, Manifest
from proctor_operator.metadata import owned
from proctor_operator.plan import Desired
from proctor_operator.pods import (
    Trouble,
    image_digest,
    is_ready,
    newest_first,
    phase,
    ready_since,
    trouble,
)
from proctor_operator.settings import Settings
from proctor_operator.status import FALSE, TRUE, Condition

CHILD_KINDS = (("apps/v1", "Deployment"), ("v1", "Service"))
# Of the CRD: one value beyond them, and the apiserver would refuse the whole status.
ENGINE_LIMIT, TEXT_LIMIT, NAME_LIMIT = 64, 1024, 253
SERVERS_ASKED = 2
"""Whether all of them answer is for their probes to tell."""
LONGEST_PAUSE = timedelta(minutes=1)
"""Between two questions to a server that never answers: another backend's, or out of reach."""
SAID = ("template", "servedModel", "engine", "imageDigest", "checkpointDigest")
"""Fields of the status that a server told, and the template that it was made from."""


@dataclass(frozen=True, slots=True)
class Observed:
    """The children, the pods of the Deployment's template, and what a ready one says of itself."""

    children: Sequence[Manifest]
    pods: Sequence[Manifest]
    engine: Manifest
    urls: Mapping[str, str]
    """Of the Service, by its ports."""

    @property
    def child(self) -> Manifest:
        """The Deployment; empty where there is none yet."""
        return next((c for c in self.children if c["kind"] == "Deployment"), {})


async def observe(owner: serving.Deployment, cluster: Cluster) -> Observed:
    """Read everything that judging needs."""
    labels = owner_labels(owner)
    lists = [cluster.list(v, k, owner.namespace, labels) for v, k in (*CHILD_KINDS, ("v1", "Pod"))]
    *children, pods = await asyncio.gather(*lists)
    own = [c for found in children for c in found if owned(c, owner.uid)]
    name = serving.service_name(owner)
    urls = {
        port: cluster.service_url(owner.namespace, name, serving.PORTS[port])
        for port in serving.SERVICE_PORTS
    }
    observed = Observed(own, pods, {}, urls)
    # Those of an older template are on their way out, and speak of another model.
    current = [pod for pod in pods if template_label(pod) == template_of(observed.child)]
    engine = await effective_engine(current, cluster)
    return replace(observed, pods=current, engine=engine)


async def effective_engine(pods: Sequence[Manifest], cluster: Cluster) -> Manifest:
    """What the newest ready server that answers reports at /v1/engine; empty where none does.

    The next to it is asked at the same time: a pod out of reach takes the whole timeout.
    """
    asked = list(filter(is_ready, newest_first(pods)))[:SERVERS_ASKED]
    answers = await asyncio.gather(*(cluster.get_json(p, "http", "/v1/engine") for p in asked))
    return next((answer for answer in answers if answer is not None), {})


def desire(owner: serving.Deployment, settings: Settings) -> Desired:
    """The children."""
    return Desired(serving.children(owner, settings))


def judge(
    owner: serving.Deployment, observed: Observed, settings: Settings
) -> tuple[list[Condition], Manifest]:
    """Conditions and the other fields of the status."""
    child, template = observed.child, template_of(serving.deployment(owner, settings))
    # What was observed may be older than the spec: its pods serve another model.
    current = template_of(child) == template
    counts = child.get("status", {})
    fields = {
        "replicas": counts.get("replicas", 0),
        "readyReplicas": counts.get("readyReplicas", 0),
        "selector": ",".join(f"{k}={v}" for k, v in serving.selector(owner).items()),
        "endpoints": endpoints(owner.spec, observed.urls),
    }
    # One that failed for good, an evicted one say, has been replaced.
    standing = [pod for pod in observed.pods if phase(pod) != "Failed"]
    found = trouble(newest_first(standing)) or podless(child)
    said = server_fields(observed) if current else {}
    return conditions(owner, child, found, current=current), (
        fields | (said | {"template": template} if said else kept(owner.status, template))
    )


def podless(child: Manifest) -> Trouble | None:
    """That the cluster refuses pods though it took the Deployment: quotas and policies do."""
    told = child.get("status", {}).get("conditions", [])
    found = next((c for c in told if (c["type"], c["status"]) == ("ReplicaFailure", "True")), None)
    return Trouble(Reason.CHILD_REJECTED, str(found.get("message", ""))) if found else None


def endpoints(spec: ModelDeploymentSpec, urls: Mapping[str, str]) -> Manifest:
    """Where clients find the deployment."""
    triton = {"triton": urls["triton-http"]} if spec.backend.triton else {}
    return {"openai": f"{urls['http']}/v1", **triton}


def template_of(child: Manifest) -> str | None:
    """The hash of a Deployment's pod template, as its builder noted it."""
    return template_label(child.get("spec", {}).get("template", {"metadata": {}}))


def template_label(pod: Manifest) -> str | None:
    """The hash of the template that a pod was made from."""
    found: str | None = pod["metadata"].get("labels", {}).get(TEMPLATE_LABEL)
    return found


def kept(before: Manifest, template: str | None) -> Manifest:
    """What a server of the same template said before, for while none is ready."""
    same = before.get("template") == template
    return {key: before[key] for key in SAID if key in before} if same else {}


def server_fields(observed: Observed) -> Manifest:
    """What the running server says of itself."""
    if not observed.engine:
        return {}
    told = sorted(observed.engine.items())[:ENGINE_LIMIT]
    engine = {key: text(value) for key, value in told}
    found = {
        "servedModel": engine.get("servedModelName", "")[:NAME_LIMIT],
        "engine": engine,
        "checkpointDigest": engine.get("checkpointDigest"),
        "imageDigest": image_digest(filter(is_ready, observed.pods), "server"),
    }
    return {key: value for key, value in found.items() if value}


def next_look(observed: Observed, settings: Settings, now: datetime) -> timedelta | None:
    """When to ask again a server that is ready and did not say what it serves.

    After as long as the newest has been silent, within bounds.
    """
    ready = list(filter(is_ready, newest_first(observed.pods)))
    if not ready or observed.engine:
        return None
    shortest = timedelta(seconds=settings.progress_seconds)
    return min(max(now - (ready_since(ready[0]) or now), shortest), LONGEST_PAUSE)


def text(value: Any) -> str:
    """A JSON value as the status shows it, as far as it has room."""
    return (str(value).lower() if isinstance(value, bool) else str(value))[:TEXT_LIMIT]


def conditions(
    owner: serving.Deployment, child: Manifest, found: Trouble | None, *, current: bool
) -> list[Condition]:
    """Progressing, Available, Ready."""
    wanted, counts = owner.spec.replicas, child.get("status", {})
    ready, updated = counts.get("readyReplicas", 0), counts.get("updatedReplicas", 0)
    seen = counts.get("observedGeneration") == child.get("metadata", {}).get("generation")
    complete = current and seen and ready == updated == counts.get("replicas", 0) == wanted
    why = explanation(wanted, ready, found, complete=complete)
    progressing = Condition(ConditionType.PROGRESSING, FALSE if complete else TRUE, *why)
    if not wanted:
        return [
            progressing,
            Condition(ConditionType.AVAILABLE, FALSE, *why),
            Condition(ConditionType.READY, FALSE, *why),
        ]
    partly = (Reason.SOME_REPLICAS_READY, f"{ready} of {wanted} replicas are ready")
    available = (TRUE, *(why if complete else partly)) if ready else (FALSE, *why)
    return [
        progressing,
        Condition(ConditionType.AVAILABLE, *available),
        Condition(ConditionType.READY, TRUE if complete else FALSE, *why),
    ]


def explanation(
    wanted: int, ready: int, found: Trouble | None, *, complete: bool
) -> tuple[Reason, str]:
    """Why the deployment is where it is."""
    if not wanted:
        words = "replicas is 0" if complete else "replicas is 0; the last pods are ending"
        return Reason.SCALED_TO_ZERO, words
    if complete:
        return Reason.ALL_REPLICAS_READY, f"{ready} of {wanted} replicas are ready"
    if found:
        return found.reason, found.message
    if ready:
        return Reason.ROLLING_OUT, f"{ready} of {wanted} replicas are ready"
    return Reason.STARTING, f"0 of {wanted} replicas are ready; the model is being loaded"
