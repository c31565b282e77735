"""Why a pod does not get where it should."""

from typing import Any

import pytest

from proctor_crds.reasons import Reason
from proctor_crds.wire import Failure
from proctor_operator.pods import (
    image_digest,
    is_ready,
    known_reason,
    newest_first,
    parsed_failure,
    parsed_result,
    ready_since,
    terminated,
    trouble,
    troubles,
)
from tests.builders import NOW, STAMP, ended, make_pod, restarted, waiting

UNSCHEDULED = {"type": "PodScheduled", "status": "False", "message": "0/1 nodes: no GPU"}
CORRUPT = Failure(reason="CheckpointCorrupt", message="shard 3 is short").model_dump_json()

CASES: dict[str, tuple[dict[str, Any], Reason, str]] = {
    "no node": (
        {"conditions": [UNSCHEDULED]},
        Reason.UNSCHEDULABLE,
        "pod p: 0/1 nodes: no GPU",
    ),
    "no image": (
        {"containers": [waiting("server", "ErrImagePull", "not found")]},
        Reason.IMAGE_PULL_FAILED,
        "ErrImagePull: pod p, container server: not found",
    ),
    "no image, later": (
        {"containers": [waiting("server", "ImagePullBackOff")]},
        Reason.IMAGE_PULL_FAILED,
        "ImagePullBackOff: pod p, container server",
    ),
    "no secret": (
        {"init": [waiting("adapter", "CreateContainerConfigError", 'secret "key" not found')]},
        Reason.CONTAINER_CONFIG_INVALID,
        'CreateContainerConfigError: pod p, container adapter: secret "key" not found',
    ),
    "its own words": (
        {"containers": [ended("server", 64, CORRUPT)]},
        Reason.CHECKPOINT_CORRUPT,
        "shard 3 is short",
    ),
    "its own words, of the last time": (
        {"containers": [restarted("server", 64, CORRUPT)]},
        Reason.CHECKPOINT_CORRUPT,
        "shard 3 is short",
    ),
    "no words": (
        {"containers": [ended("server", 137)]},
        Reason.RUNTIME_CRASHED,
        "pod p, container server: Error, exit code 137: no termination message",
    ),
    "no memory": (
        {"containers": [ended("server", 137, reason="OOMKilled")]},
        Reason.OUT_OF_MEMORY,
        (
            "pod p, container server: killed for its memory (OOMKilled):"
            " raise its resources.limits.memory, or give its node more"
        ),
    ),
    "words of another kind": (
        {"containers": [ended("server", 1, "Traceback: x\n")]},
        Reason.RUNTIME_CRASHED,
        "pod p, container server: Error, exit code 1: Traceback: x",
    ),
}


@pytest.mark.parametrize(("fields", "reason", "message"), CASES.values(), ids=CASES)
def test_trouble(fields: dict[str, Any], reason: Reason, message: str) -> None:
    found = trouble([make_pod(), make_pod("p", **fields)])
    assert found
    assert (found.reason, found.message) == (reason, message)


@pytest.mark.parametrize(
    "container",
    [
        waiting("server", "ContainerCreating"),
        ended("server", 0),
        {"name": "server", "ready": False, "state": {"running": {}}},
        restarted("server", 1) | {"ready": True},
        {"name": "server"},
    ],
    ids=["being made", "ended well", "starting", "recovered", "unknown"],
)
def test_no_trouble(container: dict[str, Any]) -> None:
    assert trouble([make_pod(containers=[container])]) is None


def test_a_pod_without_a_status_is_in_no_trouble() -> None:
    assert trouble([{"metadata": {"name": "p"}}]) is None


def test_a_pod_that_is_being_deleted_ends_without_trouble() -> None:
    dying = make_pod("dying", deletionTimestamp=STAMP, containers=[ended("server", 143)])
    assert trouble([dying]) is None
    found = trouble([dying, make_pod("p", containers=[waiting("server", "ErrImagePull")])])
    assert found
    assert found.reason == Reason.IMAGE_PULL_FAILED


def test_troubles_come_in_the_order_in_which_a_pod_starts() -> None:
    pod = make_pod(
        conditions=[UNSCHEDULED],
        init=[waiting("adapter", "ErrImagePull")],
        containers=[ended("server", 1)],
    )
    assert [found.reason for found in troubles(pod)] == [
        Reason.UNSCHEDULABLE,
        Reason.IMAGE_PULL_FAILED,
        Reason.RUNTIME_CRASHED,
    ]


def test_a_reason_that_this_operator_does_not_know_is_a_crash() -> None:
    assert known_reason("FromTheFuture") == Reason.RUNTIME_CRASHED


@pytest.mark.parametrize("message", ["", "{", "[]", '{"reason": "X"}', "null"])
def test_what_is_neither_result_nor_failure_is_neither(message: str) -> None:
    assert parsed_failure(message) is None
    assert parsed_result(message) is None


@pytest.mark.parametrize("value", ["nan", "high", ""])
def test_a_score_that_is_no_number_is_no_score(value: str) -> None:
    record = {"task": "t", "metric": "acc", "value": value, "n": 1}
    assert parsed_result(str({"results": [record]}).replace("'", '"')) is None


def test_an_end_is_found_by_container() -> None:
    pod = make_pod(init=[ended("adapter", 0)], containers=[restarted("harness", 1)])
    assert terminated(pod, "adapter") == {"exitCode": 0, "message": "", "reason": "Error"}
    assert terminated(pod, "harness") is None
    assert terminated(pod, "other") is None


def test_readiness_is_the_probe_s() -> None:
    assert is_ready(make_pod(ready=True))
    assert not is_ready(make_pod(ready=False))
    assert not is_ready({"metadata": {}})


def test_since_when_a_pod_is_ready() -> None:
    assert ready_since(make_pod(ready=True)) == NOW
    assert ready_since({"metadata": {}}) is None


def test_the_newest_is_first() -> None:
    pods = [make_pod("old", created="2026-01-01T00:00:00Z"), make_pod("new")]
    assert [pod["metadata"]["name"] for pod in newest_first(pods)] == ["new", "old"]


def test_a_digest_is_the_first_that_a_pod_tells() -> None:
    running = {"name": "server", "imageID": "registry/runtime@sha256:1"}
    assert (
        image_digest([make_pod(), make_pod(containers=[running])], "server") == running["imageID"]
    )
    assert (
        image_digest([make_pod(containers=[{"name": "server", "imageID": ""}])], "server") is None
    )
