"""One evaluation of an EvaluationRun: a Job of the harness with the adapter as native sidecar.

Where several pods share its questions, an Indexed Job comes first, each of whose pods asks its
share and keeps the answers; the Job that scores begins with all of them (docs/adr/0017).
"""

from dataclasses import dataclass
from typing import Any

from proctor_crds.evaluation_run import Evaluation, EvaluationRunSpec
from proctor_crds.wire import (
    EXIT_REJECTED,
    POD_TERMINATION_LIMIT,
    TERMINATION_LIMIT,
    RunSpec,
)
from proctor_operator.children import adapter, artifacts, companions, datasets, queueing
from proctor_operator.children.adapter import ADAPTER, ADAPTER_PORTS, JUDGE_PORTS
from proctor_operator.children.artifacts import Run
from proctor_operator.children.naming import (
    EVALUATION_LABEL,
    NAME_LIMIT,
    below,
    child,
    digest,
    hashed_name,
    owner_labels,
)
from proctor_operator.children.pod import (
    claim_volume,
    container,
    escaped,
    literals,
    pod_spec,
)
from proctor_operator.children.upstream import Upstream
from proctor_operator.cluster import Manifest
from proctor_operator.settings import Settings

DIGITS = len("-999")
"""Of a shard's index, after the name of its Job."""
HARNESS = "harness"
ARTIFACTS = "artifacts"
TARGET_ANNOTATION = "proctor.dev/target"
ASKED_ANNOTATION = "proctor.dev/asked"
INDEX_ANNOTATION = "batch.kubernetes.io/job-completion-index"
INDEXED = "Indexed"
IMMUTABLE = ("completions", "completionMode", "podFailurePolicy", "template")
"""Fields of a Job's spec that this builder sets and the apiserver keeps as they were made."""


def job(owner: Run, evaluation: Evaluation, upstream: Upstream, settings: Settings) -> Manifest:
    """The Job. Its template is immutable, so its name is a hash of it: a changed run, a new Job.

    So is the run's uid: a run that is applied anew need not wait until the Job of before is gone.
    """
    spec = spec_of(owner, 1, pod_template(owner, evaluation, upstream, settings, Part()))
    name = hashed_name(f"{owner.name}-{evaluation.name}", named_by(owner, spec))
    return built(owner, evaluation, name, spec, asked(owner.spec, evaluation, upstream))


def shards_job(
    owner: Run, evaluation: Evaluation, upstream: Upstream, settings: Settings
) -> Manifest:
    """The Job whose pods ask the questions of an evaluation that is sharded."""
    part = Part(evaluation.shards)
    template = pod_template(owner, evaluation, upstream, settings, part)
    spec = spec_of(owner, evaluation.shards, template) | {"completionMode": INDEXED}
    # Shorter, for a pod's host name is the Job's with the index.
    limit = NAME_LIMIT - DIGITS
    name = hashed_name(f"{owner.name}-{evaluation.name}-shards", named_by(owner, spec), limit)
    purpose = digest([asked(owner.spec, evaluation, upstream), "shards"])
    return built(owner, evaluation, name, spec, purpose)


@dataclass(frozen=True, slots=True)
class Part:
    """What of an evaluation a pod is for: a share of its questions, or its scores."""

    shards: int = 1

    def judge(self, evaluation: Evaluation, upstream: Upstream) -> Upstream | None:
        """Whom the pod has judge answers; where it asks but a share, nobody does."""
        return upstream.judge(evaluation) if self.shards == 1 else None


def spec_of(owner: Run, completions: int, template: Manifest) -> Manifest:
    """What of a Job's spec its name stands for."""
    return {
        "completions": completions,
        "parallelism": completions,
        "backoffLimit": owner.spec.retry.limit,
        "podReplacementPolicy": "Failed",
        "podFailurePolicy": failure_policy(owner.spec),
        "template": template,
    }


def named_by(owner: Run, spec: Manifest) -> list[Any]:
    """What a Job's name stands for; its queue too, for a Job that runs cannot change to another."""
    return [owner.uid, spec, *queueing.labels(owner.spec).values()]


def built(owner: Run, evaluation: Evaluation, name: str, spec: Manifest, purpose: str) -> Manifest:
    """A Job; `purpose` stands for what is asked of it."""
    suspend = queueing.suspended_first(owner.spec)
    result = child(owner, "batch/v1", "Job", name, spec=spec | {"suspend": suspend})
    own = {EVALUATION_LABEL: evaluation.name}
    result["metadata"]["labels"] |= own | queueing.labels(owner.spec)
    result["metadata"]["annotations"] = {ASKED_ANNOTATION: purpose}
    return result


def asked(spec: EvaluationRunSpec, evaluation: Evaluation, upstream: Upstream) -> str:
    """Stands for all that the run and its target ask of the Job, whoever builds it.

    Not for the operator's version and images: an upgrade is no reason to start anew.
    """
    told = {"artifacts", "retry", "adapter", "queue_name"}
    of_run = spec.model_dump(include=told, exclude_defaults=True)
    key = upstream.api_key.model_dump() if upstream.api_key else None
    target = [upstream.url, upstream.model, upstream.identity, upstream.context_length, key]
    judge = upstream.judge(evaluation)
    if judge:
        target += [judge.url, judge.model, judge.identity]
    return digest([of_run, evaluation.model_dump(exclude_defaults=True), target])


FAILURE_POLICY: Manifest = {
    "rules": [
        # An evicted or drained pod is nobody's fault and does not count.
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        {
            "action": "FailJob",
            "onExitCodes": {
                "containerName": HARNESS,
                "operator": "In",
                "values": [EXIT_REJECTED],
            },
        },
    ]
}


def failure_policy(spec: EvaluationRunSpec) -> Manifest:
    """What a pod's end means for the Job."""
    rules = [artifacts.REFUSED] if artifacts.bucket(spec) else []
    return {"rules": [*FAILURE_POLICY["rules"], *rules]}


def pod_template(
    owner: Run, evaluation: Evaluation, upstream: Upstream, settings: Settings, part: Part
) -> Manifest:
    """Harness and adapter, the artifacts between them."""
    image = settings.harness_images[evaluation.harness]
    mount, index = artifacts_mount(owner, evaluation), index_environment(part)
    asking = harness(owner, evaluation, upstream, image, part)
    stored = artifacts.bucket(owner.spec)
    beside = [
        *datasets.fetching(evaluation.datasets, settings.runtime_image),
        *artifacts.keeping(owner, evaluation, settings.runtime_image, mount, index),
        *adapters(owner, evaluation, upstream, image, part),
        *companions.companions(evaluation, asking),
    ]
    containers = 1 + len(beside)
    spec = pod_spec(
        [limited(asking, containers)],
        [*volumes(owner.spec, evaluation), *companions.volumes(evaluation)],
        initContainers=[limited(each, containers) for each in beside],
        **companions.pod_fields(evaluation),
        restartPolicy="Never",
        terminationGracePeriodSeconds=artifacts.GRACE_SECONDS if stored else 15,
    )
    labels = owner_labels(owner) | {EVALUATION_LABEL: evaluation.name}
    judge = upstream.judge(evaluation)
    identity = f"{upstream.identity}.{judge.identity}" if judge else upstream.identity
    annotations = {TARGET_ANNOTATION: identity}
    return {"metadata": {"labels": labels, "annotations": annotations}, "spec": spec}


def limited(one: Manifest, containers: int) -> Manifest:
    """A container, told how much of its last words is kept where many share the room."""
    limit = POD_TERMINATION_LIMIT // containers
    told = {"TERMINATION_LIMIT": str(limit)} if limit < TERMINATION_LIMIT else {}
    return one | {"env": [*one["env"], *literals(told)]}


def volumes(spec: EvaluationRunSpec, evaluation: Evaluation) -> list[Manifest]:
    """Artifacts, and the tasks' files where the run names them."""
    kept = spec.artifacts.pvc if spec.artifacts else None
    found = [
        claim_volume(ARTIFACTS, kept.claim_name, read_only=False)
        if kept
        else {"name": ARTIFACTS, "emptyDir": {}}
    ]
    return [*found, *datasets.volumes(evaluation.datasets, kept.claim_name if kept else None)]


def artifacts_mount(owner: Run, evaluation: Evaluation) -> Manifest:
    """A directory of its own for each evaluation of each run that shares the claim."""
    mount = {"name": ARTIFACTS, "mountPath": "/artifacts"}
    kept = owner.spec.artifacts.pvc if owner.spec.artifacts else None
    if not kept:
        return mount
    return mount | {"subPath": below(kept.path, f"{owner.name}/{evaluation.name}")}


def harness(
    owner: Run, evaluation: Evaluation, upstream: Upstream, image: str, part: Part
) -> Manifest:
    """The container that asks; it has no key, no token, and no way but the adapter."""
    judge = upstream.judge(evaluation)
    spec = RunSpec(
        harness=evaluation.harness,
        tasks=evaluation.tasks,
        model=upstream.model,
        judge_model=judge.model if judge else None,
        endpoint_type=evaluation.endpoint_type,
        context_length=upstream.context_length,
        shards=part.shards,
        repeats=evaluation.repeats,
        params=evaluation.params,
    )
    told = spec.model_dump_json(by_alias=True, exclude_none=True, exclude={"repeat", "shard"})
    env = {"BASE_URL": "http://127.0.0.1:$(PORT_ADAPTER)/v1", "RUN_SPEC": escaped(told)}
    asked = part.judge(evaluation, upstream)
    if asked:
        env |= {"JUDGE_URL": "http://127.0.0.1:$(PORT_JUDGE)/v1"}
    peers = companions.peers(evaluation) | (JUDGE_PORTS if asked else {})
    if artifacts.bucket(owner.spec):
        env, peers = env | artifacts.STORE_URL, peers | artifacts.KEEP_PORTS
    return container(
        HARNESS,
        image,
        ["python", "-m", "proctor_harness", "run"],
        ports={},
        peer_ports=ADAPTER_PORTS | peers,
        mounts=[artifacts_mount(owner, evaluation), *datasets.mounts(evaluation.datasets)],
        env=[*literals(env | hub(evaluation)), *index_environment(part)],
        resources=harness_resources(evaluation),
    )


def hub(evaluation: Evaluation) -> dict[str, str]:
    """Where the Hugging Face libraries download from, if not from where they do by themselves."""
    found = evaluation.datasets.hub if evaluation.datasets else None
    return {companions.HUB_VARIABLE: escaped(found.endpoint)} if found else {}


def harness_resources(evaluation: Evaluation) -> Manifest:
    """Modest by default: the harness waits for the server most of its time."""
    if evaluation.resources:
        return evaluation.resources.model_dump(by_alias=True)
    return {"requests": {"cpu": "100m", "memory": "512Mi"}}


def index_environment(part: Part) -> list[Manifest]:
    """Which share a pod asks."""
    if part.shards == 1:
        return []
    field = {"apiVersion": "v1", "fieldPath": f"metadata.annotations['{INDEX_ANNOTATION}']"}
    return [{"name": "SHARD_INDEX", "valueFrom": {"fieldRef": field}}]


def adapters(
    owner: Run, evaluation: Evaluation, upstream: Upstream, image: str, part: Part
) -> list[Manifest]:
    """The sidecar that forwards requests, counts them, and alone holds the key; the judge's too."""
    mount = artifacts_mount(owner, evaluation)
    env = [
        *adapter.environment(owner, upstream, owner.spec.adapter),
        *literals(adapter.patience(evaluation)),
        *index_environment(part),
    ]
    found = [adapter.sidecar(ADAPTER, image, ADAPTER_PORTS, mount, env)]
    judge = part.judge(evaluation, upstream)
    return [*found, adapter.judging(owner, judge, image, mount)] if judge else found
