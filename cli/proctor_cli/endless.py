"""What `proctor run` would wait for without end: nobody but it acts on its cluster. Pure."""

from collections.abc import Iterator

from proctor_cli.documents import Documents
from proctor_operator.cluster import Manifest


def endless(documents: Documents) -> Iterator[str]:
    """Every field of valid documents that keeps an EvaluationRun from ever starting."""
    deployments = {identity(each): each for each in documents.of_kind("ModelDeployment")}
    for run in documents.of_kind("EvaluationRun"):
        namespace, name = identity(run)
        if run["spec"].get("suspend"):
            yield f"EvaluationRun {name}: spec.suspend: true: nobody lifts it here: leave it out"
        for field, wanted in references(run["spec"]):
            found = deployments.get((namespace, wanted))
            if found is None:
                yield f"EvaluationRun {name}: {field}: {wanted}: {absent(namespace)}"
            elif found["spec"].get("replicas") == 0:
                yield f"ModelDeployment {wanted}: spec.replicas: 0: {unscaled(name, field)}"


def references(spec: Manifest) -> Iterator[tuple[str, str]]:
    """Fields of an EvaluationRun that name a ModelDeployment, with the name."""
    if "deploymentRef" in spec["target"]:
        yield "spec.target.deploymentRef.name", spec["target"]["deploymentRef"]["name"]
    for index, evaluation in enumerate(spec["evaluations"]):
        if "judgeRef" in evaluation:
            yield f"spec.evaluations[{index}].judgeRef.name", evaluation["judgeRef"]["name"]


def identity(manifest: Manifest) -> tuple[str, str]:
    """Namespace and name."""
    return manifest["metadata"]["namespace"], manifest["metadata"]["name"]


def absent(namespace: str) -> str:
    """Of a ModelDeployment that is in no file."""
    return (
        f"no file has a ModelDeployment of this name in namespace {namespace}, and nobody else"
        " makes one here: add its file"
    )


def unscaled(run: str, field: str) -> str:
    """Of a ModelDeployment without pods."""
    return f"EvaluationRun {run} needs it ({field}), and nobody scales it here: set 1 or more"
