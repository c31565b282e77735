"""Objects as a cluster holds them, with only what a test is about spelt out."""

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

from proctor_crds.kinds import EVALUATION_RUN, MODEL_DEPLOYMENT, Kind
from proctor_operator.cluster import Manifest
from proctor_operator.resource import Resource, parsed, unparsed

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
STAMP = "2026-01-02T03:04:05Z"

MODEL: Manifest = {
    "source": {"pvc": {"claimName": "models", "path": "tiny/checkpoint"}},
    "servedName": "tiny",
    "tokenizer": {"path": "tiny/tokenizer"},
}
EVALUATION: Manifest = {"name": "sums", "harness": "lm-eval", "tasks": ["arithmetic_mc"]}


def deployment_manifest(
    name: str = "demo", *, generation: int = 1, status: Manifest | None = None, **spec: Any
) -> Manifest:
    """A ModelDeployment on one CPU pod; `spec` replaces fields of its spec."""
    default = {"model": MODEL, "backend": {"triton": {}}, "gpusPerNode": 0}
    return stored(MODEL_DEPLOYMENT, name, generation, default | spec, status)


def run_manifest(
    name: str = "run", *, generation: int = 1, status: Manifest | None = None, **spec: Any
) -> Manifest:
    """An EvaluationRun of one evaluation against `demo`; `spec` replaces fields of its spec."""
    default = {"target": {"deploymentRef": {"name": "demo"}}, "evaluations": [EVALUATION]}
    return stored(EVALUATION_RUN, name, generation, default | spec, status)


def stored(
    kind: Kind, name: str, generation: int, spec: Manifest, status: Manifest | None
) -> Manifest:
    """An object with what the apiserver adds."""
    result = kind.manifest(name, "team", spec=deepcopy(spec), status=deepcopy(status or {}))
    result["metadata"] |= {"uid": f"uid-of-{name}", "generation": generation}
    return result


def make_deployment(name: str = "demo", **fields: Any) -> Resource[Any]:
    """The same ModelDeployment, parsed."""
    return parsed(unparsed(deployment_manifest(name, **fields)), MODEL_DEPLOYMENT)


def make_run(name: str = "run", **fields: Any) -> Resource[Any]:
    """The same EvaluationRun, parsed."""
    return parsed(unparsed(run_manifest(name, **fields)), EVALUATION_RUN)


def make_pod(
    name: str = "pod",
    *,
    phase: str = "Running",
    created: str = STAMP,
    ready: bool = False,
    labels: dict[str, str] | None = None,
    job: str | None = None,
    init: list[Manifest] | None = None,
    containers: list[Manifest] | None = None,
    conditions: list[Manifest] | None = None,
    **meta: Any,
) -> Manifest:
    """A pod with a status; `meta` is more of its metadata."""
    owners = [{"kind": "Job", "name": job, "uid": f"uid-of-{job}"}] if job else []
    default: Manifest = {"name": name, "namespace": "team", "creationTimestamp": created}
    default |= {"labels": labels or {}, "ownerReferences": owners}
    readiness = {"type": "Ready", "status": "True" if ready else "False"}
    readiness |= {"lastTransitionTime": created}
    status = {
        "phase": phase,
        "podIP": "10.0.0.7",
        "conditions": [readiness, *(conditions or [])],
        "initContainerStatuses": init or [],
        "containerStatuses": containers or [],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": default | meta,
        "spec": {"containers": []},
        "status": status,
    }


def waiting(container: str, reason: str, message: str = "") -> Manifest:
    """Status of a container that does not start."""
    state = {"waiting": {"reason": reason, "message": message}}
    return {"name": container, "ready": False, "state": state}


def ended(container: str, exit_code: int, message: str = "", reason: str = "Error") -> Manifest:
    """Status of a container that ended and stays so."""
    state = {"terminated": {"exitCode": exit_code, "message": message, "reason": reason}}
    return {"name": container, "ready": False, "state": state}


def restarted(container: str, exit_code: int, message: str = "") -> Manifest:
    """Status of a container that ended before and runs again."""
    last = ended(container, exit_code, message)["state"]
    return {"name": container, "ready": False, "state": {"running": {}}, "lastState": last}


def make_job(name: str = "job", *, complete: bool = False, failed: str | None = None) -> Manifest:
    """A Job; `failed` is the message of its condition Failed."""
    conditions = [{"type": "Complete", "status": "True"}] if complete else []
    if failed is not None:
        conditions = [{"type": "Failed", "status": "True", "message": failed}]
    meta = {"name": name, "namespace": "team", "uid": f"uid-of-{name}"}
    status = {"conditions": conditions}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "status": status}


def condition_of(conditions: list[Any], kind: str) -> Any:
    """The judged or stored condition of one type."""
    return next(c for c in conditions if (c["type"] if isinstance(c, dict) else c.type) == kind)
