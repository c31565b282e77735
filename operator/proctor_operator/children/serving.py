"""A ModelDeployment on the Triton backend: one Deployment of the runtime image, one Service."""

from typing import Any

from proctor_crds.model_deployment import ModelDeploymentSpec, Parallelism
from proctor_crds.wire import CHAT_TEMPLATE
from proctor_operator.children.model_volume import (
    MODEL,
    MOUNT,
    checkpoint,
    fetching,
    model_volume,
)
from proctor_operator.children.naming import (
    DEPLOYMENT_LABEL,
    TEMPLATE_LABEL,
    bounded,
    child,
    digest,
    owner_labels,
)
from proctor_operator.children.overlay import overlaid
from proctor_operator.children.pod import container, escaped, literals, pod_spec, within
from proctor_operator.cluster import Manifest
from proctor_operator.resource import Resource
from proctor_operator.settings import Settings

Deployment = Resource[ModelDeploymentSpec]

PORTS = {"http": 8080, "triton-http": 8000, "triton-grpc": 8001, "triton-metrics": 8002}
SERVICE_PORTS = ("http", "triton-http", "triton-grpc")
STARTUP_SECONDS = 3600
"""A checkpoint of hundreds of gigabytes takes this long from a slow volume."""


def service_name(owner: Deployment) -> str:
    """Name of the Service, and of the Deployment behind it."""
    return bounded(owner.name)


def children(owner: Deployment, settings: Settings) -> list[Manifest]:
    """Service first: clients resolve its name before a pod is ready."""
    return [service(owner), deployment(owner, settings)]


def service(owner: Deployment) -> Manifest:
    """The Service through which the deployment is asked."""
    ports = [{"name": p, "port": PORTS[p], "targetPort": p} for p in SERVICE_PORTS]
    spec = {"selector": selector(owner), "ports": ports}
    return child(owner, "v1", "Service", service_name(owner), spec=spec)


def deployment(owner: Deployment, settings: Settings) -> Manifest:
    """The Deployment whose pods serve the model."""
    template = pod_template(owner, settings)
    labels = template["metadata"]["labels"] | {TEMPLATE_LABEL: digest(template)}
    template = {**template, "metadata": {**template["metadata"], "labels": labels}}
    spec = {
        "replicas": owner.spec.replicas,
        "selector": {"matchLabels": selector(owner)},
        "strategy": strategy(owner.spec),
        "progressDeadlineSeconds": STARTUP_SECONDS + 600,
        "template": template,
    }
    return child(owner, "apps/v1", "Deployment", service_name(owner), spec=spec)


def strategy(spec: ModelDeploymentSpec) -> Manifest:
    """Free the GPUs before the next pod asks for them; on CPUs overlap the two."""
    if spec.gpus_per_node:
        return {"type": "Recreate"}
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}


def selector(owner: Deployment) -> dict[str, str]:
    """Labels of the pods; immutable in a Deployment, so nothing of the spec is in them."""
    return {DEPLOYMENT_LABEL: bounded(owner.name)}


def pod_template(owner: Deployment, settings: Settings) -> Manifest:
    """The pod template, with the user's overlay on it."""
    volumes = [
        model_volume(owner.spec.model.source),
        # Triton passes tensors to the model's process through shared memory.
        {"name": "shm", "emptyDir": {"medium": "Memory"}},
    ]
    fields: Manifest = {"terminationGracePeriodSeconds": 60}
    if fetch := fetching(owner.spec.model, image(owner.spec, settings)):
        fields = {"initContainers": fetch, **fields}
    spec = pod_spec([server(owner.spec, settings)], volumes, **fields)
    template = {"metadata": {"labels": owner_labels(owner)}, "spec": spec}
    return overlaid(template, {"spec": owner.spec.pod or {}}) if owner.spec.pod else template


def image(spec: ModelDeploymentSpec, settings: Settings) -> str:
    """The runtime image."""
    own = spec.backend.triton.image if spec.backend.triton else None
    return own or settings.runtime_image


def server(spec: ModelDeploymentSpec, settings: Settings) -> Manifest:
    """The container that serves the model."""
    mounts: list[Manifest] = [
        {**MOUNT, "readOnly": True},
        {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108  where POSIX shared memory lies
    ]
    return container(
        "server",
        image(spec, settings),
        ["python", "-m", "proctor_runtime", "serve"],
        ports=PORTS,
        mounts=mounts,
        args=arguments(spec),
        env=environment(spec),
        resources=resources(spec),
        **probes(),
    )


def arguments(spec: ModelDeploymentSpec) -> list[str]:
    """The server's arguments."""
    model, engine = spec.model, spec.engine
    values: dict[str, Any] = {
        "checkpoint": checkpoint(model.source),
        "checkpoint-format": model.format,
        "tokenizer": within(MODEL, model.tokenizer.path),
        "served-model-name": escaped(model.served_name),
        "transport": "triton",
        "tensor-parallel": spec.parallelism.tensor,
        "pipeline-parallel": spec.parallelism.pipeline,
        **further_axes(spec.parallelism),
        "max-batch-size": engine.max_batch_size,
        "max-sequence-length": engine.max_sequence_length,
        "dtype": engine.dtype,
        "random-seed": engine.random_seed,
    }
    given = values | chosen(spec)
    switches = ["--sequence-parallel"] if spec.parallelism.sequence else []
    return [f"--{name}={value}" for name, value in given.items()] + switches


def chosen(spec: ModelDeploymentSpec) -> dict[str, Any]:
    """The arguments of what the spec says: where it says nothing, the server's defaults hold.

    An argument more would roll out every deployment that an upgraded operator finds.
    """
    engine, api = spec.engine, spec.api
    values = {
        "kv-cache-gib": engine.kv_cache_gi_b,
        "prefix-caching": engine.prefix_caching,
        "chunked-prefill": engine.chunked_prefill,
        "cuda-graphs": engine.cuda_graphs,
        "flash-decode": engine.flash_decode,
        "tool-call-parser": api.tool_call_parser,
        "reasoning-parser": api.reasoning_parser,
        "max-queued-requests": api.max_queued_requests,
        "max-body-bytes": api.max_body_bytes,
    }
    return {name: in_words(value) for name, value in values.items() if value is not None}


def in_words(value: Any) -> Any:
    """A value as an argument gives it."""
    return str(value).lower() if isinstance(value, bool) else value


def environment(spec: ModelDeploymentSpec) -> list[Manifest]:
    """What no argument could hold readably."""
    template = spec.model.chat_template
    return [] if template is None else literals({CHAT_TEMPLATE: escaped(template)})


def further_axes(split: Parallelism) -> dict[str, int]:
    """The axes that few models are split along, where this one is."""
    sizes = {"context": split.context, "expert": split.expert}
    asked = {f"{axis}-parallel": size for axis, size in sizes.items() if size > 1}
    if split.expert_tensor is None:
        return asked
    return {**asked, "expert-tensor-parallel": split.expert_tensor}


def resources(spec: ModelDeploymentSpec) -> Manifest:
    """GPUs as asked; the rest is the overlay's to say."""
    requests: Manifest = {"cpu": "250m", "memory": "1Gi"}
    if not spec.gpus_per_node:
        return {"requests": requests}
    return {"requests": requests, "limits": {"nvidia.com/gpu": str(spec.gpus_per_node)}}


def probes() -> Manifest:
    """Alive is not ready: readiness generates a token."""
    alive = {"httpGet": {"path": "/v1/health", "port": "http"}}
    ready = {"httpGet": {"path": "/v1/health/ready", "port": "http"}}
    return {
        "startupProbe": {**alive, "periodSeconds": 2, "failureThreshold": STARTUP_SECONDS // 2},
        "livenessProbe": {
            **alive,
            "periodSeconds": 10,
            "timeoutSeconds": 10,
            "failureThreshold": 6,
        },
        "readinessProbe": {**ready, "periodSeconds": 2, "timeoutSeconds": 10},
    }
