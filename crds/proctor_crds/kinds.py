"""The kinds of the API group: names, printer columns and subresources."""

from dataclasses import dataclass
from typing import Any

from proctor_crds.base import Model
from proctor_crds.common import API_VERSION, GROUP
from proctor_crds.evaluation_run import EvaluationRunSpec, EvaluationRunStatus
from proctor_crds.model_deployment import ModelDeploymentSpec, ModelDeploymentStatus


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `kubectl get`; `priority` 1 shows it only with `-o wide`."""

    name: str
    path: str
    type: str = "string"
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Kind:
    """One custom resource."""

    name: str
    plural: str
    short: str
    description: str
    spec: type[Model]
    status: type[Model]
    columns: tuple[Column, ...]
    scale: dict[str, str] | None = None

    @property
    def crd_name(self) -> str:
        """Name of the CustomResourceDefinition."""
        return f"{self.plural}.{GROUP}"

    def manifest(self, name: str, namespace: str, **fields: Any) -> dict[str, Any]:
        """An object of this kind."""
        meta = {"name": name, "namespace": namespace}
        return {"apiVersion": API_VERSION, "kind": self.name, "metadata": meta, **fields}


def condition(name: str, field: str = "status") -> str:
    """JSONPath of one condition's field."""
    return f'.status.conditions[?(@.type=="{name}")].{field}'


AGE = Column("Age", ".metadata.creationTimestamp", "date")

MODEL_DEPLOYMENT = Kind(
    name="ModelDeployment",
    plural="modeldeployments",
    short="md",
    description="A language model served by pods.",
    spec=ModelDeploymentSpec,
    status=ModelDeploymentStatus,
    columns=(
        Column("Model", ".spec.model.servedName"),
        Column("Ready", condition("Ready")),
        Column("Reason", condition("Ready", "reason")),
        Column("Endpoint", ".status.endpoints.openai"),
        Column("Replicas", ".status.readyReplicas", "integer", priority=1),
        AGE,
    ),
    scale={
        "specReplicasPath": ".spec.replicas",
        "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.selector",
    },
)

EVALUATION_RUN = Kind(
    name="EvaluationRun",
    plural="evaluationruns",
    short="er",
    description="Harnesses asked of a model, their scores, and the verdict on them.",
    spec=EvaluationRunSpec,
    status=EvaluationRunStatus,
    columns=(
        Column("Target", ".spec.target.deploymentRef.name"),
        Column("Progress", ".status.progress"),
        Column("Succeeded", condition("Succeeded")),
        Column("Score", ".status.score"),
        Column("Gate", condition("GatePassed")),
        Column("Reason", condition("Succeeded", "reason"), priority=1),
        AGE,
    ),
)

KINDS = {kind.name: kind for kind in (MODEL_DEPLOYMENT, EVALUATION_RUN)}
