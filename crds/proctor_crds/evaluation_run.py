"""`EvaluationRun`: harnesses asked of a target, their scores and the verdict on them."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from proctor_crds.base import (
    ATOMIC,
    OPEN,
    SET,
    Decimal,
    Message,
    Model,
    Name,
    Rule,
    Text,
    Time,
    exactly_one,
    keyed_by,
    not_yet,
)
from proctor_crds.common import (
    Condition,
    HttpSource,
    LocalRef,
    PvcSource,
    Resources,
    S3Source,
    SecretKeyRef,
    Url,
)
from proctor_crds.model_deployment import ModelDeploymentSpec
from proctor_crds.results import Flagged, ResultRecord
from proctor_crds.wire import HarnessParams

Harness = Literal[
    "lm-eval", "bfcl", "garak", "bigcode", "simple-evals", "safety-harness", "container"
]
"""The harnesses of this version; `proctor_harness.harnesses.HARNESSES` implements each."""

USER_IN_URL = "^https?://[^/?#]*@"
"""A URL with a user, and perhaps a password, before its host."""


class Endpoint(Model):
    """An OpenAI-compatible API outside Proctor."""

    rules: ClassVar = (
        Rule(
            "!self.url.matches('[?#]')",
            "endpoint.url: leave out what begins with ? or #: paths are appended to the URL",
        ),
        Rule(
            f"!self.url.matches('{USER_IN_URL}')",
            "endpoint.url: leave out what stands before @, which all who see the run see;"
            " put the key into apiKeySecretRef",
        ),
    )
    url: Annotated[str, Field(pattern=r"^https?://", max_length=1024)]
    """Base URL, to which `/v1/completions` is appended; it may end with `/v1` itself."""
    model: Annotated[str, Field(min_length=1, max_length=253)]
    """Model id to put in each request."""
    api_key_secret_ref: SecretKeyRef | None = None
    """API key; only the adapter container sees it."""


class Target(Model):
    """What is evaluated."""

    rules: ClassVar = (
        exactly_one("target", "deploymentRef", "deployment", "endpoint"),
        not_yet("deployment", "apply a ModelDeployment and name it in deploymentRef"),
    )
    deployment_ref: LocalRef | None = None
    """A ModelDeployment in the same namespace."""
    deployment: ModelDeploymentSpec | None = None
    """A ModelDeployment that lives as long as the run."""
    endpoint: Endpoint | None = None
    """An OpenAI-compatible API outside Proctor."""


class Hub(Model):
    """A server of the Hugging Face Hub's API, which harnesses download datasets from."""

    rules: ClassVar = (
        Rule(
            f"!self.endpoint.matches('{USER_IN_URL}')",
            "hub.endpoint: leave out what stands before @, which all who see the run see;"
            " name a mirror that wants no password",
        ),
    )
    endpoint: Url
    """Its URL, such as that of a mirror; harnesses know it as HF_ENDPOINT."""


class Datasets(Model):
    """Where the harness finds its tasks' files."""

    rules: ClassVar = (
        Rule(
            "[has(self.pvc), has(self.s3), has(self.http)].filter(x, x).size()"
            " == (has(self.hub) && !has(self.pvc) && !has(self.s3) && !has(self.http) ? 0 : 1)",
            "datasets: set hub, or exactly one of pvc, s3, http, or both",
        ),
    )
    hub: Hub | None = None
    """Where datasets are downloaded from; huggingface.co when absent."""
    pvc: PvcSource | None = None
    """A PersistentVolumeClaim; for lm-eval, a directory of task YAML and its data."""
    s3: S3Source | None = None
    """An S3 bucket."""
    http: HttpSource | None = None
    """An HTTP URL."""


class Sandbox(Model):
    """Where code that the model wrote is executed; there is one where a task executes any."""

    runtime_class_name: Name | None = None
    """RuntimeClass of the evaluation's pod, such as one of gVisor or Kata."""


class Evaluation(Model):
    """One harness with its tasks; it becomes one Job."""

    rules: ClassVar = (
        Rule(
            "self.shards == 1 || self.harness != 'container'",
            "shards: nothing tells the framework of a container to ask but a share;"
            " split the tasks over several evaluations",
        ),
        Rule(
            "self.shards == 1 || !has(self.params) || !has(self.params.extra)"
            " || !('batchSize' in self.params.extra)",
            "shards: params.extra.batchSize puts questions of several shards into one request;"
            " leave it out",
        ),
        Rule(
            "!has(self.judgeRef) || self.harness in ['safety-harness', 'container']",
            "judgeRef: only safety-harness and container ask a judge; remove it",
        ),
        Rule(
            "has(self.image) == (self.harness == 'container')",
            "image: name an Eval-Factory image where harness is container, and only there",
        ),
    )
    name: Name
    """Name within the run."""
    harness: Harness
    """The harness; `container` is any Eval-Factory image."""
    image: Annotated[str, Field(min_length=1, max_length=1024)] | None = None
    """The image of `container`, best by its digest: `framework.yml` in, `results.yml` out."""
    tasks: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=253)]],
        Field(min_length=1, max_length=100, json_schema_extra=SET),
    ]
    """The harness's own task names."""
    endpoint_type: Literal["completions", "chat"] = "completions"
    """The API that the harness asks; log-likelihood tasks need completions."""
    params: HarnessParams = HarnessParams()
    """How the harness asks."""
    shards: Annotated[int, Field(ge=1, le=1000)] = 1
    """Pods that ask the evaluation's questions together; one then scores the answers."""
    repeats: Annotated[int, Field(ge=1, le=1000)] = 1
    """Times that each sample is asked, each with a seed of its own."""
    datasets: Datasets | None = None
    """Where the tasks' files lie; absent for tasks that bring their own."""
    judge_ref: LocalRef | None = None
    """ModelDeployment that judges the answers."""
    sandbox: Sandbox | None = None
    """How code that the model wrote is shut in."""
    resources: Resources | None = None
    """Compute resources of the harness container."""


class GateRule(Model):
    """A bound on one metric of one task."""

    rules: ClassVar = (
        Rule("has(self.min) || has(self.max)", "gate rule: set min, max or both"),
        not_yet("maxDrop", "bound the metric with min or max"),
        not_yet("baselineRef", "bound the metric with min or max"),
    )
    task: Annotated[str, Field(min_length=1, max_length=253)]
    """Task whose metric is bounded."""
    metric: Annotated[str, Field(min_length=1, max_length=253)]
    """Metric that is bounded."""
    filter: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    """The metric's filter; needed where the task reports the metric under several."""
    evaluation: Name | None = None
    """Evaluation that the score is from; needed where several have the task."""
    min: Decimal | None = None
    """The metric must not lie below this."""
    max: Decimal | None = None
    """The metric must not lie above this."""
    max_drop: Decimal | None = None
    """The metric must not lie more than this below the baseline's."""
    baseline_ref: LocalRef | None = None
    """EvaluationRun to compare with."""


class Gate(Model):
    """When the scores are good enough. A failed gate is not a failed run."""

    rules: ClassVar = (
        Rule(
            "double(self.confidence) > 0.0 && double(self.confidence) <= 0.999999",
            "gate.confidence must lie above 0 and at most at 0.999999, for instance '0.95'",
        ),
    )
    rule_list: Annotated[
        list[GateRule], Field(alias="rules", min_length=1, max_length=50, json_schema_extra=ATOMIC)
    ]
    """Rules that must all hold."""
    confidence: Decimal = "0.95"
    """Confidence at which a bound counts as kept or broken."""
    on_inconclusive: Literal["Unknown", "Pass", "Fail"] = "Unknown"
    """What GatePassed becomes where the samples cannot tell."""


class Artifacts(Model):
    """Where the harness's files are kept."""

    rules: ClassVar = (exactly_one("artifacts", "pvc", "s3"),)
    pvc: PvcSource | None = None
    """A PersistentVolumeClaim, mounted read-write; files go to `path/<run>/<evaluation>`."""
    s3: S3Source | None = None
    """An S3 bucket, to which the Secret may write; files go to `path/<run>/<uid>/<evaluation>`."""


class Retry(Model):
    """What happens after a failure of infrastructure."""

    limit: Annotated[int, Field(ge=0, le=100)] = 2
    """Pods that may fail before the evaluation does; an evicted or preempted pod is none."""


class EvaluationRunSpec(Model):
    """The desired evaluation of one target."""

    rules: ClassVar = (
        Rule(
            "has(self.artifacts) || self.evaluations.all(e, e.shards == 1)",
            "shards: the pods share their answers by artifacts:"
            " name a PersistentVolumeClaim or a bucket",
        ),
        not_yet("exporters", "read the status"),
        not_yet("offline", "leave it out"),
        not_yet("reuse", "leave it out"),
        not_yet("budget", "limit params.limitSamples"),
        Rule(
            "!has(self.gate) || self.gate.rules.all(r, !has(r.evaluation) ||"
            " self.evaluations.exists(e, e.name == r.evaluation))",
            "gate rule: evaluation must be the name of one of spec.evaluations",
        ),
    )
    target: Target
    """What is evaluated."""
    evaluations: Annotated[
        list[Evaluation], Field(min_length=1, max_length=50, json_schema_extra=keyed_by("name"))
    ]
    """What is asked."""
    adapter: Annotated[dict[str, Any], Field(json_schema_extra=OPEN)] | None = None
    """The adapter's configuration: NeMo Evaluator's `adapter_config` (docs/adapter.md).

    It is no place for a key: anybody who may read the run may read it.
    """
    gate: Gate | None = None
    """When the scores are good enough."""
    artifacts: Artifacts | None = None
    """Where the harness's files are kept; absent, they go with the pod."""
    exporters: (
        Annotated[
            list[Annotated[dict[str, Any], Field(json_schema_extra=OPEN)]],
            Field(max_length=10, json_schema_extra=ATOMIC),
        ]
        | None
    ) = None
    """Systems that receive the results."""
    offline: bool | None = None
    """Close the pods' egress to all but the target."""
    reuse: Literal["Never", "IfIdentical"] | None = None
    """Take an identical run's results."""
    retry: Retry = Retry()
    """What happens after a failure of infrastructure."""
    ttl_seconds_after_finished: Annotated[int, Field(ge=0, le=31_536_000)] | None = None
    """Delete the run this long after it finished."""
    suspend: bool = False
    """Hold the run; its pods are ended and nothing is started."""
    queue_name: Name | None = None
    """Kueue LocalQueue in whose quota the Jobs run; they wait until it has room."""
    budget: Annotated[dict[str, Any], Field(json_schema_extra=OPEN)] | None = None
    """Most tokens or GPU seconds to spend."""


class Progress(Model):
    """How far an evaluation is, in requests answered."""

    done: Annotated[int, Field(ge=0)] = 0
    """Requests answered."""
    total: Annotated[int, Field(ge=0)] | None = None
    """Requests in all, where known."""


class UnscoredPart(Model):
    """A part of a task that has no score, where the task itself has one."""

    task: Annotated[str, Field(max_length=253)]
    """The part, by the harness's name."""
    why: Text
    """The reason, for a person."""


class EvaluationFailure(Model):
    """Why an evaluation has no scores."""

    reason: Annotated[str, Field(max_length=1024)]
    """One word of docs/reasons.md."""
    message: Message
    """The same for a person."""


class Provenance(Model):
    """What the scores were computed from."""

    served_model: Annotated[str, Field(max_length=253)] | None = None
    """Model id that the server reported."""
    checkpoint_digest: Text | None = None
    """Digest of the checkpoint that the server loaded."""
    runtime_image: Text | None = None
    """Digest of the server's image."""
    deployment_generation: Annotated[int, Field(ge=0)] | None = None
    """Generation of the ModelDeployment."""


RECORDS = 500
"""Scores of an evaluation that the status holds."""
PARTS = 100
"""Parts without a score that it holds."""


class EvaluationStatus(Model):
    """What is observed of one evaluation."""

    name: Name
    """Name within the run."""
    job: Annotated[str, Field(max_length=63)] | None = None
    """The Job that runs it; named by a hash of its whole pod template."""
    inputs: Annotated[str, Field(max_length=64)] | None = None
    """Digest of what determines the scores: the evaluation and the target as the spec has them."""
    attempt: Annotated[str, Field(max_length=64)] | None = None
    """Of an evaluation that failed: digest of resources, retry and artifacts, which may mend it."""
    provenance: Provenance | None = None
    """What the scores were computed from, as the target told it while the Job ran."""
    progress: Progress = Progress()
    """How far it is."""
    results: Annotated[list[ResultRecord], Field(max_length=RECORDS, json_schema_extra=ATOMIC)] = []
    """The scores."""
    unscored: Annotated[list[UnscoredPart], Field(max_length=PARTS, json_schema_extra=ATOMIC)] = []
    """What was to be evaluated and was not, beside what has scores."""
    flagged: Flagged | None = None
    """Answers that the harness is likely to have misjudged; absent where there are none."""
    truncated: bool = False
    """There are more scores than fit here: `results.json` in the artifacts has all of them."""
    failure: EvaluationFailure | None = None
    """Why there are no scores."""
    completion_time: Time | None = None
    """When it ended, with scores or a failure."""


class EvaluationRunStatus(Model):
    """What is observed of an EvaluationRun."""

    observed_generation: Annotated[int, Field(ge=0)] = 0
    """The generation that this status describes."""
    conditions: Annotated[
        list[Condition], Field(max_length=16, json_schema_extra=keyed_by("type"))
    ] = []
    """Accepted, TargetReady, Preflight, Running, Succeeded, GatePassed."""
    start_time: Time | None = None
    """When the first Job was made."""
    completion_time: Time | None = None
    """When the last evaluation ended."""
    progress: Annotated[str, Field(max_length=64)] | None = None
    """Requests answered over requests in all, for `kubectl get`."""
    last_progress_time: Time | None = None
    """When `progress` last changed."""
    score: Annotated[str, Field(max_length=64)] | None = None
    """The first evaluation's first metric and its standard error, for `kubectl get`."""
    evaluations: Annotated[
        list[EvaluationStatus], Field(max_length=50, json_schema_extra=keyed_by("name"))
    ] = []
    """Each evaluation's progress and scores."""
