"""The native sidecars that a harness needs beside the adapter."""

from proctor_crds import catalogue
from proctor_crds.evaluation_run import Evaluation
from proctor_operator.children.pod import container
from proctor_operator.cluster import Manifest

WORKER = "worker"
WORKER_START = """\
trap 'exit 143' TERM
folder="$MOUNT_SCRATCH/worker"
until [ -f "$folder/worker.py" ]; do sleep 0.2; done
exec python3 "$folder/worker.py" "$folder"
"""
"""The driver leaves the worker's script in their scratch volume, which is new with each pod."""

HUB_VARIABLE = "HF_ENDPOINT"
SANDBOX = "sandbox"
SANDBOX_PORTS = {"sandbox": 9200}
SANDBOX_VOLUME: Manifest = {"name": SANDBOX, "emptyDir": {"sizeLimit": "64Mi"}}
SANDBOX_MOUNT: Manifest = {"name": SANDBOX, "mountPath": "/tmp"}  # noqa: S108  a mount of its own


def companions(evaluation: Evaluation, harness: Manifest) -> list[Manifest]:
    """Those of this evaluation, beside its harness's container."""
    found = [worker(evaluation.image, harness)] if evaluation.image else []
    return [*found, sandbox(harness["image"])] if executes(evaluation) else found


def executes(evaluation: Evaluation) -> bool:
    """Whether code that the model writes is executed."""
    tasks = [catalogue.find(evaluation.harness, name) for name in evaluation.tasks]
    return any("sandbox" in task.needs for task in tasks if task)


def peers(evaluation: Evaluation) -> dict[str, int]:
    """Ports at which the harness finds them."""
    return SANDBOX_PORTS if executes(evaluation) else {}


def volumes(evaluation: Evaluation) -> list[Manifest]:
    """Volumes that only they mount."""
    return [SANDBOX_VOLUME] if executes(evaluation) else []


def pod_fields(evaluation: Evaluation) -> Manifest:
    """What the pod as a whole needs for them."""
    name = evaluation.sandbox and evaluation.sandbox.runtime_class_name
    return {"runtimeClassName": name} if name else {}


def sandbox(image: str) -> Manifest:
    """Where generated code is executed: no volume of the run, no key, and no network from within.

    It answers on the pod's loopback alone, so the kubelet cannot probe it; who asks it waits.
    """
    return container(
        SANDBOX,
        image,
        ["python", "-m", "proctor_harness.sandbox"],
        ports=SANDBOX_PORTS,
        mounts=[],
        scratch=SANDBOX_MOUNT,
        restartPolicy="Always",
        # Two programs at a time, of 1 GiB at most.
        resources={
            "requests": {"cpu": "100m", "memory": "128Mi"},
            "limits": {"cpu": "2", "memory": "3Gi", "ephemeral-storage": "128Mi"},
        },
    )


def worker(image: str, harness: Manifest) -> Manifest:
    """An Eval-Factory image, which does what the driver leaves it to do, with the same means."""
    _scratch, *mounts = harness["volumeMounts"]
    hub = [variable for variable in harness["env"] if variable["name"] == HUB_VARIABLE]
    return container(
        WORKER,
        image,
        ["sh", "-c", WORKER_START],
        ports={},
        mounts=mounts,
        # Nothing of the run goes to others than the target.
        env=[{"name": "NEMO_EVALUATOR_TELEMETRY_LEVEL", "value": "0"}, *hub],
        restartPolicy="Always",
        resources=harness["resources"],
    )
