"""Every condition and every reason, with what it means, why it comes and what to do.

`docs/reasons.md` is generated from this file.
"""

from enum import StrEnum
from typing import NamedTuple


class ConditionType(StrEnum):
    """The conditions of both kinds."""

    ACCEPTED = "Accepted"
    PROGRESSING = "Progressing"
    AVAILABLE = "Available"
    READY = "Ready"
    TARGET_READY = "TargetReady"
    PREFLIGHT = "Preflight"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    GATE_PASSED = "GatePassed"


class Reason(StrEnum):
    """Why a condition has its status."""

    SPEC_VALID = "SpecValid"
    SPEC_INVALID = "SpecInvalid"
    CHILD_REJECTED = "ChildRejected"
    CLUSTER_FAILED = "ClusterFailed"

    STARTING = "Starting"
    ROLLING_OUT = "RollingOut"
    ALL_REPLICAS_READY = "AllReplicasReady"
    SOME_REPLICAS_READY = "SomeReplicasReady"
    SCALED_TO_ZERO = "ScaledToZero"
    UNSCHEDULABLE = "Unschedulable"
    IMAGE_PULL_FAILED = "ImagePullFailed"
    CONTAINER_CONFIG_INVALID = "ContainerConfigInvalid"
    CHECKPOINT_NOT_FOUND = "CheckpointNotFound"
    CHECKPOINT_CORRUPT = "CheckpointCorrupt"
    CHECKPOINT_UNSUPPORTED = "CheckpointUnsupported"
    TOKENIZER_NOT_FOUND = "TokenizerNotFound"
    CHAT_TEMPLATE_INVALID = "ChatTemplateInvalid"
    SOURCE_DENIED = "SourceDenied"
    SOURCE_UNREACHABLE = "SourceUnreachable"
    VOLUME_FULL = "VolumeFull"
    PARALLELISM_INVALID = "ParallelismInvalid"
    KV_CACHE_TOO_SMALL = "KvCacheTooSmall"
    KV_CACHE_TOO_LARGE = "KvCacheTooLarge"
    OUT_OF_MEMORY = "OutOfMemory"
    RUNTIME_CRASHED = "RuntimeCrashed"

    TARGET_ANSWERS = "TargetAnswers"
    DEPLOYMENT_NOT_FOUND = "DeploymentNotFound"
    DEPLOYMENT_NOT_READY = "DeploymentNotReady"

    WAITING_FOR_TARGET = "WaitingForTarget"
    WAITING_FOR_POD = "WaitingForPod"
    WAITING_FOR_QUOTA = "WaitingForQuota"
    DISRUPTED = "Disrupted"
    SUSPENDED = "Suspended"
    JOBS_RUNNING = "JobsRunning"
    FINISHED = "Finished"

    ALL_SCORED = "AllScored"
    NOT_FINISHED = "NotFinished"
    EVALUATION_FAILED = "EvaluationFailed"
    ASKING = "Asking"
    PREFLIGHT_FAILED = "PreflightFailed"
    UNKNOWN_TASK = "UnknownTask"
    PARAMETER_INVALID = "ParameterInvalid"
    TARGET_UNREACHABLE = "TargetUnreachable"
    TARGET_REFUSED = "TargetRefused"
    ARTIFACTS_REFUSED = "ArtifactsRefused"
    ARTIFACTS_UNREACHABLE = "ArtifactsUnreachable"
    INTERCEPTOR_FAILED = "InterceptorFailed"
    HARNESS_FAILED = "HarnessFailed"
    UNSCORED = "Unscored"

    WITHIN_BOUNDS = "WithinBounds"
    OUT_OF_BOUNDS = "OutOfBounds"
    INCONCLUSIVE = "Inconclusive"
    METRIC_NOT_FOUND = "MetricNotFound"
    METRIC_AMBIGUOUS = "MetricAmbiguous"


class Explanation(NamedTuple):
    """What a person reads about a reason."""

    meaning: str
    cause: str
    remedy: str


NOTHING = "Nothing to do."

EXPLANATIONS: dict[Reason, Explanation] = {
    Reason.SPEC_VALID: Explanation("The spec can be acted on.", "It passed every check.", NOTHING),
    Reason.SPEC_INVALID: Explanation(
        "The spec cannot be acted on; nothing is started or changed.",
        "The object was stored under a CRD older than the operator.",
        "Correct the fields that the message names, and update the CRDs with the chart.",
    ),
    Reason.CHILD_REJECTED: Explanation(
        "The cluster refuses an object that the operator wants to make.",
        "A quota, an admission policy, a `pod` overlay that makes the pod invalid, or an object of"
        " that name that belongs to somebody else.",
        "Read the message; change the overlay, the policy or the name. It is tried each minute.",
    ),
    Reason.CLUSTER_FAILED: Explanation(
        "The cluster could not make an object that the operator wants, nor say that it never will.",
        "An admission webhook that does not answer, or an apiserver that is overloaded.",
        "Mend what the message names. It is tried again by itself, within 5 minutes.",
    ),
    Reason.STARTING: Explanation(
        "Pods start; the model is being loaded.",
        "A new deployment, or a replaced pod.",
        "Wait; `kubectl logs` of the pod shows how far it is.",
    ),
    Reason.ROLLING_OUT: Explanation(
        "Pods of a new spec replace those of the old.", "The spec changed.", "Wait."
    ),
    Reason.ALL_REPLICAS_READY: Explanation(
        "Every replica passes a real one-token generation.", "The rollout is complete.", NOTHING
    ),
    Reason.SOME_REPLICAS_READY: Explanation(
        "The endpoint answers, with fewer replicas than wanted.",
        "A replica starts, fails or cannot be scheduled.",
        "See the condition Progressing for why.",
    ),
    Reason.SCALED_TO_ZERO: Explanation(
        "Nothing is served, as asked.", "`replicas` is 0.", "Set `replicas` to serve again."
    ),
    Reason.UNSCHEDULABLE: Explanation(
        "No node can take a pod.",
        "Not enough free GPUs, memory or CPU; a volume that does not exist; a taint.",
        "Free or add a node, or lower gpusPerNode, resources or replicas.",
    ),
    Reason.IMAGE_PULL_FAILED: Explanation(
        "A node cannot pull an image.",
        "The image or its tag does not exist, or the registry wants credentials.",
        "Correct the image, push it, or give `pod.imagePullSecrets`.",
    ),
    Reason.CONTAINER_CONFIG_INVALID: Explanation(
        "The kubelet cannot make a container.",
        "A Secret, a ConfigMap or one of their keys does not exist.",
        "Create what the message names; the pod then starts by itself.",
    ),
    Reason.CHECKPOINT_NOT_FOUND: Explanation(
        "There is no checkpoint where `model.source` points.",
        "`model.source` names the wrong claim, bucket, repository, URL or path.",
        "Correct it; the message says what was looked for.",
    ),
    Reason.CHECKPOINT_CORRUPT: Explanation(
        "The checkpoint cannot be read, or its checksum is wrong.",
        "An interrupted copy, or files changed since they were saved.",
        "Copy the checkpoint again.",
    ),
    Reason.CHECKPOINT_UNSUPPORTED: Explanation(
        "The checkpoint's architecture or format is not served by this version.",
        "A model option that the runtime does not know.",
        "See the message for what is supported.",
    ),
    Reason.TOKENIZER_NOT_FOUND: Explanation(
        "The tokenizer cannot be loaded.",
        "`model.tokenizer.path` names the wrong directory, or its files are broken.",
        "Correct the path.",
    ),
    Reason.CHAT_TEMPLATE_INVALID: Explanation(
        "The chat template cannot be compiled; no model is loaded.",
        "`model.chatTemplate` is not Jinja as transformers reads it.",
        "Correct it; the message tells the line and what is wrong there.",
    ),
    Reason.SOURCE_DENIED: Explanation(
        "The source refuses the credential, or wants one.",
        "The Secret that `secretRef` names holds a wrong or expired credential, or there is none.",
        "Correct the Secret; a deployment's pod tries again by itself. A run that has failed is"
        " deleted and applied anew.",
    ),
    Reason.SOURCE_UNREACHABLE: Explanation(
        "The source does not answer, or breaks off.",
        "Its server is down, slow or unreachable from the pod's network.",
        "Mend the way to it; the pod tries again and goes on where it was. A run that has failed is"
        " deleted and applied anew.",
    ),
    Reason.VOLUME_FULL: Explanation(
        "The model does not fit on the pod's volume.",
        "The node's disk, or the volume's limit, is smaller than the model.",
        "Give the pod a larger volume named `model` in `spec.pod`, or a node with a larger disk.",
    ),
    Reason.PARALLELISM_INVALID: Explanation(
        "The model cannot be split as asked.",
        "A size under `parallelism` does not divide what it splits (attention heads, layers,"
        " experts), or sizes do not go together.",
        "Choose one of the sizes that the message lists.",
    ),
    Reason.KV_CACHE_TOO_SMALL: Explanation(
        "The KV cache could not hold one sequence of the longest that are served.",
        "`engine.kvCacheGiB` is small, or `engine.maxSequenceLength` large.",
        "Set `engine.kvCacheGiB` to what the message names, or leave it out.",
    ),
    Reason.KV_CACHE_TOO_LARGE: Explanation(
        "There is not as much memory as the KV cache should have.",
        "`engine.kvCacheGiB` is more than the weights leave free.",
        "Set `engine.kvCacheGiB` lower, or leave it out.",
    ),
    Reason.OUT_OF_MEMORY: Explanation(
        "The kernel killed a container's process for its memory.",
        "The container needs more than its `resources.limits.memory`, than a LimitRange allows, or"
        " than its node has.",
        "Raise requests and limits: of a harness by `evaluations[].resources`, of a server by"
        " `spec.pod`; of another container see the LimitRange and the node. A run goes on where it"
        " was.",
    ),
    Reason.RUNTIME_CRASHED: Explanation(
        "The server ended without saying why in a known way.",
        "A defect, or the node killed it: the message has the exit code and the last words.",
        "Read the previous container's log (`kubectl logs -p`).",
    ),
    Reason.TARGET_ANSWERS: Explanation(
        "The target can be asked.", "Its deployment is Ready, or it is external.", NOTHING
    ),
    Reason.DEPLOYMENT_NOT_FOUND: Explanation(
        "The target does not exist.",
        "No ModelDeployment of that name is in the run's namespace, or it was deleted.",
        "Apply the ModelDeployment; the run then starts by itself.",
    ),
    Reason.DEPLOYMENT_NOT_READY: Explanation(
        "The target does not answer yet.",
        "Its deployment starts or fails; the message repeats its condition Ready.",
        "Wait, or see the ModelDeployment.",
    ),
    Reason.WAITING_FOR_TARGET: Explanation(
        "No Job was made yet.", "The target is not ready: see TargetReady.", "See TargetReady."
    ),
    Reason.WAITING_FOR_POD: Explanation(
        "No Job is made before a pod of an earlier one has ended: both would write to the same"
        " artifacts.",
        "The run was changed, or deleted and applied anew, and a pod of before still ends; or its"
        " node does not answer.",
        "Wait; if its node is gone for good, delete the pod that the message names.",
    ),
    Reason.WAITING_FOR_QUOTA: Explanation(
        "Kueue holds the run's Jobs.",
        "The queue has no room for them or is stopped, or something of higher priority took theirs;"
        " or no LocalQueue of that name exists, or no Kueue.",
        "Wait; `kubectl describe workloads` in the run's namespace tells why.",
    ),
    Reason.DISRUPTED: Explanation(
        "A pod was taken away, and another takes its place.",
        "An eviction, a drained node, a pod of higher priority, or a node short of memory or disk.",
        "Wait: it does not count against `retry.limit`. The first new pod comes after ten seconds,"
        " and each further one after twice as long, ten minutes at most.",
    ),
    Reason.SUSPENDED: Explanation(
        "The run is held.", "`suspend` is true.", "Set `suspend: false` to go on."
    ),
    Reason.JOBS_RUNNING: Explanation("The harnesses ask the target.", "Jobs run.", "Wait."),
    Reason.FINISHED: Explanation(
        "No Job of the run is left to run.", "Each evaluation ended.", NOTHING
    ),
    Reason.ALL_SCORED: Explanation(
        "Every evaluation has its scores.", "Every Job completed.", NOTHING
    ),
    Reason.NOT_FINISHED: Explanation("The outcome is open.", "Evaluations still run.", "Wait."),
    Reason.EVALUATION_FAILED: Explanation(
        "An evaluation ended without scores, for more than one reason.",
        "Several evaluations failed differently.",
        "See `status.evaluations[].failure`.",
    ),
    Reason.ASKING: Explanation(
        "Nothing was found that keeps an evaluation from its scores; the target answers.",
        "Every harness looked ahead and asks.",
        NOTHING,
    ),
    Reason.PREFLIGHT_FAILED: Explanation(
        "The target cannot do what the run wants; nothing was asked of it.",
        "A model id that it does not serve, a key that it refuses, a context that is too short, or"
        " several things at once.",
        "Correct all that the message names; where the run itself is not changed, delete it and"
        " apply it anew.",
    ),
    Reason.UNKNOWN_TASK: Explanation(
        "The harness does not know a task.",
        "A misspelt task, or a task whose YAML is not in `datasets`.",
        "Use one of the near matches in the message.",
    ),
    Reason.PARAMETER_INVALID: Explanation(
        "The harness refuses a parameter.",
        "A value that this harness cannot use.",
        "Correct the field that the message names.",
    ),
    Reason.TARGET_UNREACHABLE: Explanation(
        "Requests failed for reasons of infrastructure; nothing was scored.",
        "The target went away, timed out or answered 5xx until the retries were spent.",
        "Mend the target, delete the run and apply it anew; a higher `retry.limit` bridges more.",
    ),
    Reason.TARGET_REFUSED: Explanation(
        "The target refused questions, and the harness went on as if it had answered them wrong;"
        " nothing was scored.",
        "A prompt longer than the model's context, a parameter that the server does not know, a"
        " model id or a key that it refuses: the message has its words.",
        "Correct `params` or the task; the adapter's `drop_params` leaves a parameter out.",
    ),
    Reason.ARTIFACTS_REFUSED: Explanation(
        "The bucket or the claim of `artifacts` does not take the evaluation's files.",
        "The bucket does not exist, or the Secret that `secretRef` names may not list, read, write"
        " and delete there; the claim is full, or its files are somebody else's.",
        "Correct `artifacts`, or make the claim writable for group 65532; after a correction of the"
        " Secret or the claim alone, delete the run and apply it anew.",
    ),
    Reason.ARTIFACTS_UNREACHABLE: Explanation(
        "The evaluation's files could not be stored, so its scores are not told.",
        "The server of `artifacts.s3` is down or unreachable from the pod's network.",
        "Mend the way to it, delete the run and apply it anew; a higher `retry.limit` bridges"
        " more.",
    ),
    Reason.INTERCEPTOR_FAILED: Explanation(
        "An interceptor of the adapter failed, and with it requests; nothing was scored.",
        "A defect of an interceptor, or answers that it is not made for.",
        "Correct or remove the interceptor that the message names in `spec.adapter`.",
    ),
    Reason.HARNESS_FAILED: Explanation(
        "The harness crashed; nothing was scored.",
        "A defect in a task or in the harness: the message has its last words.",
        "Read the Job's log; correct the task.",
    ),
    Reason.UNSCORED: Explanation(
        "The harness ended well without evaluating a sample of some task that was asked.",
        "An empty dataset, a limit of zero, data that could not be had, or answers all of which"
        " failed.",
        "See the message for the task and the cause.",
    ),
    Reason.WITHIN_BOUNDS: Explanation(
        "Every rule holds with the gate's confidence.", "The scores are good enough.", NOTHING
    ),
    Reason.OUT_OF_BOUNDS: Explanation(
        "A rule is broken with the gate's confidence.",
        "A score lies on the wrong side of its bound.",
        "See the message for rule, score and interval.",
    ),
    Reason.INCONCLUSIVE: Explanation(
        "The samples cannot tell on which side of a bound a score lies.",
        "The score's confidence interval contains the bound.",
        "Evaluate more samples, or decide by `onInconclusive`.",
    ),
    Reason.METRIC_NOT_FOUND: Explanation(
        "A rule names a metric that the run did not produce.",
        "A misspelt task, metric or filter in the gate, or an evaluation with more scores than the"
        " status holds.",
        "Use one of the metrics in the message, or ask fewer tasks in one evaluation.",
    ),
    Reason.METRIC_AMBIGUOUS: Explanation(
        "A rule names a metric of which the run has several scores.",
        "The task reports the metric under several filters, or several evaluations have the task.",
        "Set the rule's `filter` or `evaluation` to one of those in the message.",
    ),
}


def catalogue() -> str:
    """`docs/reasons.md`."""
    lines = ["# Reasons", "", "Generated from `crds/proctor_crds/reasons.py`; do not edit.", ""]
    lines.append("| Reason | Meaning | Cause | Remedy |\n|---|---|---|---|")
    for reason, why in EXPLANATIONS.items():
        lines.append(f"| `{reason}` | {why.meaning} | {why.cause} | {why.remedy} |")
    return "\n".join(lines) + "\n"
