"""`ModelDeployment`: a language model served by pods."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from proctor_crds.base import (
    OPEN,
    Decimal,
    Model,
    Name,
    Rule,
    Text,
    exactly_one,
    keyed_by,
    not_yet,
    only,
)
from proctor_crds.common import Condition, HttpSource, PvcSource, S3Source, SecretKeyRef, Url


class OciSource(Model):
    """Files in an OCI image."""

    image: Text
    """Image reference."""
    path: Text = "."
    """Path within the image."""


class HuggingFaceSource(Model):
    """A repository of a Hugging Face hub."""

    id: Annotated[
        str, Field(pattern=r"^[-.0-9A-Z_a-z]+(/[-.0-9A-Z_a-z]+)?$", min_length=1, max_length=200)
    ]
    """`organisation/model`."""
    revision: Text = "main"
    """Branch, tag or commit; only a commit is the same for every pod at any time."""
    path: Text = "."
    """Path within the repository."""
    endpoint: Url | None = None
    """URL of a mirror; huggingface.co when absent."""
    secret_ref: SecretKeyRef | None = None
    """Token for a gated repository."""


class ModelSource(Model):
    """Where the checkpoint lies."""

    rules: ClassVar = (
        exactly_one("model.source", "pvc", "s3", "oci", "hf", "http"),
        not_yet("oci", "use s3, hf or http, or copy the checkpoint to a claim and use pvc"),
    )
    pvc: PvcSource | None = None
    """A PersistentVolumeClaim."""
    s3: S3Source | None = None
    """An S3 bucket."""
    oci: OciSource | None = None
    """An OCI image."""
    hf: HuggingFaceSource | None = None
    """A Hugging Face repository."""
    http: HttpSource | None = None
    """An HTTP URL."""


class Tokenizer(Model):
    """The tokenizer, in Hugging Face's format."""

    path: Text
    """Directory within the model's volume: the claim, or all that is fetched from the source."""


class ServedModel(Model):
    """What is served, and under which name."""

    rules: ClassVar = (
        only("trustRemoteCode", "false", "remote code is never run"),
        Rule(
            "!has(self.chatTemplate) || size(bytes(self.chatTemplate)) <= 65536",
            "chatTemplate must have at most 65536 bytes in UTF-8: put a longer one into"
            " tokenizer_config.json",
        ),
    )
    source: ModelSource
    """Where the checkpoint lies."""
    format: Literal["megatron", "hf", "nemo"] = "megatron"
    """Layout of the checkpoint: Megatron torch_dist, Hugging Face safetensors, NeMo 2."""
    served_name: Annotated[str, Field(min_length=1, max_length=253)]
    """The model id that clients put in their requests."""
    tokenizer: Tokenizer
    """The tokenizer."""
    chat_template: Annotated[str, Field(min_length=1, max_length=65536)] | None = None
    """Jinja template that replaces the tokenizer's own, itself and not a path to it."""
    trust_remote_code: bool = False
    """Run Python found in the checkpoint."""


class TritonBackend(Model):
    """Triton Inference Server (through PyTriton) in the Proctor runtime image."""

    image: Text | None = None
    """Image that replaces the operator's default runtime image."""


class RayServeBackend(Model):
    """Ray Serve on KubeRay, with the Proctor runtime image."""

    image: Text | None = None
    """Image that replaces the operator's default runtime image."""


class VllmBackend(Model):
    """Upstream vLLM."""

    image: Text | None = None
    """Image that replaces the operator's default vLLM image."""


class Backend(Model):
    """What serves the model."""

    rules: ClassVar = (
        exactly_one("backend", "triton", "rayServe", "vllm"),
        not_yet("rayServe", "use triton"),
        not_yet("vllm", "use triton"),
    )
    triton: TritonBackend | None = None
    """Triton Inference Server."""
    ray_serve: RayServeBackend | None = None
    """Ray Serve."""
    vllm: VllmBackend | None = None
    """vLLM."""


class Parallelism(Model):
    """How one replica is split over ranks, in Megatron's terms."""

    rules: ClassVar = (
        Rule(
            "self.tensor * self.context %"
            " (self.expert * (has(self.expertTensor) ? self.expertTensor : 1)) == 0",
            "parallelism.expert × expertTensor must divide tensor × context: experts are spread"
            " over the ranks of a pipeline stage",
        ),
        Rule(
            "!self.sequence || self.tensor > 1",
            "parallelism.sequence splits activations between tensor parallel ranks: set tensor to"
            " 2 or more, or leave sequence out",
        ),
    )
    tensor: Annotated[int, Field(ge=1, le=1024)] = 1
    """Tensor model parallel size; must divide the model's attention heads."""
    pipeline: Annotated[int, Field(ge=1, le=1024)] = 1
    """Pipeline model parallel size; must divide the model's layers."""
    context: Annotated[int, Field(ge=1, le=1024)] = 1
    """Context parallel size: each rank computes a part of a step's tokens."""
    expert: Annotated[int, Field(ge=1, le=1024)] = 1
    """Expert model parallel size: each rank has some of the experts; must divide their number."""
    expert_tensor: Annotated[int, Field(ge=1, le=1024)] | None = None
    """Tensor parallel size within an expert; when absent that of the model, or 1 with `expert`."""
    sequence: bool = False
    """Shard activations along the tokens between tensor parallel ranks, as for experts always."""


class Engine(Model):
    """Settings of the inference engine."""

    rules: ClassVar = (
        Rule(
            "!has(self.kvCacheGiB) || (double(self.kvCacheGiB) > 0.0 &&"
            " double(self.kvCacheGiB) <= 1000000.0)",
            "kvCacheGiB must be more than 0 and at most 1000000, for instance '4' or '0.5'",
        ),
    )
    max_batch_size: Annotated[int, Field(ge=1, le=4096)] = 32
    """Most sequences in one forward pass."""
    max_sequence_length: Annotated[int, Field(ge=1, le=10_000_000)] = 2048
    """Most tokens of prompt and completion together."""
    dtype: Literal["float32", "bfloat16", "float16"] = "bfloat16"
    """Type of weights and activations; bfloat16 is meant for GPUs, float32 for CPUs."""
    random_seed: Annotated[int, Field(ge=0, le=2_147_483_647)] = 1234
    """Seed of sampling where a request brings none."""
    cuda_graphs: bool | None = None
    """Capture decode steps as CUDA graphs; on GPUs wherever it can be done when absent."""
    flash_decode: bool | None = None
    """Use the flash-decode attention kernel; on GPUs wherever it can be done when absent."""
    prefix_caching: bool | None = None
    """Keep the keys and values of shared prefixes; true when absent."""
    chunked_prefill: bool | None = None
    """Split long prefills over steps; true when absent."""
    kv_cache_gi_b: Annotated[Decimal | None, Field(alias="kvCacheGiB")] = None
    """Budget of each rank's KV cache, in GiB; when absent what the largest batch needs, within
    2 GiB on CPUs and 0.8 of the memory that the weights leave free on GPUs."""


class Api(Model):
    """The OpenAI API in front of the model."""

    tool_call_parser: Literal["hermes", "llama3_json"] | None = None
    """How the model writes tool calls; requests with tools are refused when absent."""
    reasoning_parser: Literal["think"] | None = None
    """How the model marks its reasoning, which is told apart from the answer then."""
    max_queued_requests: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Most prompts that may wait; beyond them the answer is 429. 4096 when absent."""
    max_body_bytes: Annotated[int, Field(ge=1024, le=1 << 30)] | None = None
    """Largest body of a request; beyond it the answer is 413. 64 MiB when absent."""


def on_gpus(feature: str) -> Rule:
    """A feature of the engine that nothing but a GPU has."""
    return Rule(
        f"self.gpusPerNode > 0 || !has(self.engine.{feature}) || !self.engine.{feature}",
        f"engine.{feature} true needs GPUs: set gpusPerNode, or leave it out",
    )


class ModelDeploymentSpec(Model):
    """The desired serving of one model."""

    rules: ClassVar = (
        Rule(
            "self.gpusPerNode == 0 || self.parallelism.tensor * self.parallelism.pipeline *"
            " self.parallelism.context == self.nodes * self.gpusPerNode",
            "parallelism.tensor × pipeline × context must equal nodes × gpusPerNode"
            " (gpusPerNode 0 runs every rank on the CPU)",
        ),
        on_gpus("cudaGraphs"),
        on_gpus("flashDecode"),
        only("nodes", "1", "use one node with more GPUs"),
        not_yet("autoscaling", "set replicas"),
        not_yet("idleTTL", "set replicas: 0 to free the GPUs"),
        not_yet("queueName", "leave it out"),
    )
    model: ServedModel
    """What is served."""
    backend: Backend
    """What serves it."""
    parallelism: Parallelism = Parallelism()
    """How one replica is split over ranks."""
    nodes: Annotated[int, Field(ge=1, le=1024)] = 1
    """Nodes that one replica spans."""
    gpus_per_node: Annotated[int, Field(ge=0, le=64)] = 1
    """GPUs that a pod requests; 0 serves on the CPU."""
    replicas: Annotated[int, Field(ge=0, le=1000)] = 1
    """Copies of the model."""
    engine: Engine = Engine()
    """Settings of the inference engine."""
    api: Api = Api()
    """The OpenAI API in front of the model."""
    pod: Annotated[dict[str, Any], Field(json_schema_extra=OPEN)] | None = None
    """A strategic overlay on the pod template: nodeSelector, tolerations, resources, ..."""
    autoscaling: Annotated[dict[str, Any], Field(json_schema_extra=OPEN)] | None = None
    """Replicas that follow the load."""
    idle_ttl: Annotated[str | None, Field(alias="idleTTL", max_length=32)] = None
    """Scale to zero after this long without a request."""
    queue_name: Name | None = None
    """Kueue LocalQueue."""


class Endpoints(Model):
    """Where the deployment answers, inside the cluster."""

    openai: Text
    """Base URL of the OpenAI API, to which clients append `/chat/completions`."""
    triton: Text | None = None
    """Base URL of Triton's KServe v2 API, to which clients append `/v2/models/...`."""


class ModelDeploymentStatus(Model):
    """What is observed of a ModelDeployment."""

    observed_generation: Annotated[int, Field(ge=0)] = 0
    """The generation that this status describes."""
    conditions: Annotated[
        list[Condition], Field(max_length=16, json_schema_extra=keyed_by("type"))
    ] = []
    """Accepted, Progressing, Available, Ready."""
    replicas: Annotated[int, Field(ge=0)] = 0
    """Pods that exist."""
    ready_replicas: Annotated[int, Field(ge=0)] = 0
    """Pods that pass a real one-token generation."""
    selector: Text | None = None
    """Label selector of the pods, for the scale subresource."""
    endpoints: Endpoints | None = None
    """Where the deployment answers."""
    template: Annotated[str, Field(max_length=63)] | None = None
    """Hash of the pod template whose server reported the fields below."""
    served_model: Annotated[str, Field(max_length=253)] | None = None
    """Model id that the running server reports."""
    engine: Annotated[dict[str, Text], Field(max_length=64)] = {}
    """The effective configuration that the running server reports."""
    image_digest: Text | None = None
    """Digest of the image that the pods run."""
    checkpoint_digest: Text | None = None
    """Digest of the checkpoint that the server loaded."""
