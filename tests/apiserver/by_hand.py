"""What controllers and kubelets would write, where there is only an apiserver."""

from tests.kube import Kubectl, Manifest, eventually

MD, ER = "modeldeployment", "evaluationrun"


def jobs(kubectl: Kubectl, name: str = "arithmetic") -> list[Manifest]:
    return kubectl.list("jobs", f"proctor.dev/run={name}")


def make_ready(kubectl: Kubectl) -> None:
    """Say what the Deployment controller says once the pods are ready."""
    child = eventually(lambda: kubectl.get("deployment", "arithmetic"))
    counts = dict.fromkeys(("replicas", "readyReplicas", "updatedReplicas", "availableReplicas"), 1)
    generation = child["metadata"]["generation"]
    kubectl.patch_status("deployment", "arithmetic", {"observedGeneration": generation, **counts})
    kubectl.wait_condition(MD, "arithmetic", "Ready", "True", "AllReplicasReady")


def started(kubectl: Kubectl, name: str = "arithmetic") -> Manifest:
    """The run's only Job."""
    eventually(lambda: len(jobs(kubectl, name)) == 1)
    return jobs(kubectl, name)[0]


def make_pod(kubectl: Kubectl, job: Manifest) -> str:
    """A pod of the Job, of which no kubelet knows; its name."""
    meta = {
        "name": f"{job['metadata']['name']}-pod",
        "labels": job["spec"]["template"]["metadata"]["labels"],
        "ownerReferences": [
            {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "name": job["metadata"]["name"],
                "uid": job["metadata"]["uid"],
                "controller": True,
            },
        ],
    }
    spec = {"containers": [{"name": "harness", "image": "x"}], "restartPolicy": "Never"}
    kubectl.apply({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
    return str(meta["name"])


def run_pod(kubectl: Kubectl, job: Manifest) -> None:
    """A pod of the Job, running."""
    kubectl.patch_status("pod", make_pod(kubectl, job), {"phase": "Running"})


def end_pod(kubectl: Kubectl, job: Manifest, exit_code: int, message: str) -> None:
    """A pod of the Job, ended with a termination message."""
    name = make_pod(kubectl, job)
    ended = {
        "exitCode": exit_code,
        "reason": "Error" if exit_code else "Completed",
        "message": message,
    }
    status = {
        "name": "harness",
        "image": "x",
        "imageID": "",
        "ready": False,
        "restartCount": 0,
        "state": {"terminated": ended},
    }
    phase = "Failed" if exit_code else "Succeeded"
    kubectl.patch_status("pod", name, {"phase": phase, "containerStatuses": [status]})


def end_job(kubectl: Kubectl, job: Manifest, *, failed: bool = False) -> None:
    """What the Job controller writes at the end."""
    now = "2026-01-01T00:00:00Z"
    kinds = ("FailureTarget", "Failed") if failed else ("SuccessCriteriaMet", "Complete")
    status: Manifest = {
        "startTime": now,
        "conditions": [
            {
                "type": kind,
                "status": "True",
                "reason": "x",
                "message": "it ended",
                "lastTransitionTime": now,
                "lastProbeTime": now,
            }
            for kind in kinds
        ],
        "failed" if failed else "succeeded": 1,
    }
    if not failed:
        status["completionTime"] = now
    kubectl.patch_status("job", job["metadata"]["name"], status)
