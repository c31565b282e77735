"""What is wrong with a pod, read from its status as the kubelet and the scheduler write it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from proctor_crds.packing import unpacked
from proctor_crds.reasons import Reason
from proctor_crds.wire import Failure, RunResult
from proctor_operator.cluster import Manifest
from proctor_operator.metadata import ending

PULL_FAILURES = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}
OOM_KILLED = "OOMKilled"
CRASHES = {Reason.RUNTIME_CRASHED, Reason.HARNESS_FAILED}
"""What a process tells whose own child the kernel killed."""
CONFIG_FAILURES = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a pod does not get where it should."""

    reason: Reason
    message: str
    requests: int | None = None
    """Those that the target had answered, where the pod knows."""


def trouble(pods: Iterable[Manifest]) -> Trouble | None:
    """The first trouble of any pod that is to stay; one that is being deleted ends as it may."""
    return next((found for pod in pods if not ending(pod) for found in troubles(pod)), None)


def troubles(pod: Manifest) -> Iterator[Trouble]:
    """Everything that keeps `pod` from running, in the order in which a pod starts."""
    name = pod["metadata"]["name"]
    status = pod.get("status", {})
    for condition in status.get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            words = condition.get("message", condition.get("reason", ""))
            yield Trouble(Reason.UNSCHEDULABLE, f"pod {name}: {words}")
    for container in container_statuses(pod):
        yield from container_troubles(name, container)


def container_statuses(pod: Manifest) -> list[Manifest]:
    """Init containers first, as they start."""
    status = pod.get("status", {})
    return [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]


def container_troubles(pod: str, container: Manifest) -> Iterator[Trouble]:
    """What keeps one container from running."""
    state = container.get("state", {})
    waiting = state.get("waiting", {})
    words = f"pod {pod}, container {container['name']}: {waiting.get('message', '')}".rstrip(": ")
    if waiting.get("reason") in PULL_FAILURES:
        yield Trouble(Reason.IMAGE_PULL_FAILED, f"{waiting['reason']}: {words}")
    if waiting.get("reason") in CONFIG_FAILURES:
        yield Trouble(Reason.CONTAINER_CONFIG_INVALID, f"{waiting['reason']}: {words}")
    ended = end_of(container)
    if ended and ended.get("exitCode") and not container.get("ready"):
        yield from_termination(pod, container["name"], ended)


def from_termination(pod: str, container: str, ended: Manifest) -> Trouble:
    """Why a container ended: its own words where it left some, else its exit code."""
    failure = parsed_failure(ended.get("message", ""))
    reason = known_reason(failure.reason) if failure else Reason.RUNTIME_CRASHED
    if ended.get("reason") == OOM_KILLED and reason in CRASHES:
        words = f"pod {pod}, container {container}: killed for its memory ({OOM_KILLED}):"
        words += " raise its resources.limits.memory, or give its node more"
        return Trouble(Reason.OUT_OF_MEMORY, words, failure.requests if failure else None)
    if failure:
        return Trouble(reason, failure.message, failure.requests)
    words = ended.get("message", "").strip() or "no termination message"
    code = f"{ended.get('reason', 'Error')}, exit code {ended['exitCode']}"
    return Trouble(reason, f"pod {pod}, container {container}: {code}: {words}")


def known_reason(word: str) -> Reason:
    """The reason that a pod gave, as far as this operator knows it."""
    return Reason(word) if word in set(Reason) else Reason.RUNTIME_CRASHED


def parsed_failure(message: str) -> Failure | None:
    """The failure in a termination message, if it is one."""
    try:
        return Failure.model_validate_json(unpacked(message))
    except ValueError:
        return None


def parsed_result(message: str) -> RunResult | None:
    """The scores in a termination message, if it holds any."""
    try:
        return RunResult.model_validate_json(unpacked(message))
    except ValueError:
        return None


def terminated(pod: Manifest, container: str) -> Manifest | None:
    """How `container` of `pod` ended, or None while it has not."""
    for status in container_statuses(pod):
        if status["name"] == container:
            ended: Manifest | None = status.get("state", {}).get("terminated")
            return ended
    return None


def last_end(pod: Manifest, container: str) -> Manifest | None:
    """How `container` of `pod` ended the last time, though it may have been started again."""
    found = (end_of(each) for each in container_statuses(pod) if each["name"] == container)
    return next(found, None)


def end_of(container: Manifest) -> Manifest | None:
    """How a container ended, now or before it was started again."""
    now: Manifest | None = container.get("state", {}).get("terminated")
    before: Manifest | None = container.get("lastState", {}).get("terminated")
    return now or before


def disruption(pod: Manifest) -> str | None:
    """Why the pod was taken away, where an eviction, a preemption or its node was the cause."""
    conditions = pod.get("status", {}).get("conditions", [])
    found = (c for c in conditions if c["type"] == "DisruptionTarget" and c["status"] == "True")
    why = next(found, None)
    return f"{why.get('reason', '')}: {why.get('message', '')}".strip(": ") if why else None


def phase(pod: Manifest) -> str:
    """Pending, Running, Succeeded or Failed; empty while the kubelet has said nothing."""
    return str(pod.get("status", {}).get("phase", ""))


def is_ready(pod: Manifest) -> bool:
    """Whether the pod passes its readiness probe."""
    return readiness(pod).get("status") == "True"


def ready_since(pod: Manifest) -> datetime | None:
    """When a ready pod began to be ready, as far as it tells."""
    since = readiness(pod).get("lastTransitionTime")
    return datetime.fromisoformat(since) if since else None


def readiness(pod: Manifest) -> Manifest:
    """The pod's condition Ready; empty while it has none."""
    conditions: list[Manifest] = pod.get("status", {}).get("conditions", [])
    return next((c for c in conditions if c["type"] == "Ready"), {})


def newest_first(pods: Iterable[Manifest]) -> list[Manifest]:
    """By creation, the newest first."""
    return sorted(pods, key=lambda p: str(p["metadata"].get("creationTimestamp")), reverse=True)


def image_digest(pods: Iterable[Manifest], container: str) -> str | None:
    """The digest of the image that `container` runs, from the first pod that tells it."""
    for pod in pods:
        for status in container_statuses(pod):
            if status["name"] == container and status.get("imageID"):
                return str(status["imageID"])
    return None
