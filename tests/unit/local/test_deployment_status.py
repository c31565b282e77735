from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from proctor_cli.local.deployment_status import deployment_status
from proctor_cli.local.objects import condition
from proctor_cli.local.rollout import HASH, bounds, template_hash
from proctor_operator.cluster import Manifest

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def deployment(status: Manifest | None = None, **spec: Any) -> Manifest:
    meta = {"name": "serve", "namespace": "ns", "generation": 3}
    return {"metadata": meta, "spec": {"template": {}, **spec}, "status": status or {}}


def pod(*, ready: bool = True, current: bool = True) -> Manifest:
    revision = template_hash(deployment()) if current else "old"
    conditions = [{"type": "Ready", "status": str(ready)}]
    return {"metadata": {"labels": {HASH: revision}}, "status": {"conditions": conditions}}


def test_a_finished_rollout() -> None:
    status, again = deployment_status(deployment(), [pod()], NOW)
    assert again is None
    conditions = status.pop("conditions")
    assert status == {
        "observedGeneration": 3,
        "replicas": 1,
        "updatedReplicas": 1,
        "readyReplicas": 1,
        "availableReplicas": 1,
    }
    assert {each["type"]: each["reason"] for each in conditions} == {
        "Available": "MinimumReplicasAvailable",
        "Progressing": "NewReplicaSetAvailable",
    }


@pytest.mark.parametrize(
    "pods",
    [[], [pod(ready=False)], [pod(), pod(current=False)], [pod(current=False)]],
    ids=["none", "not ready", "old one left", "only an old one"],
)
def test_an_unfinished_rollout(pods: list[Manifest]) -> None:
    status, again = deployment_status(deployment(), pods, NOW)
    progressing = condition({"status": status}, "Progressing")
    assert progressing is not None
    assert progressing["reason"] == "ReplicaSetUpdated"
    assert again == 600


def test_no_progress_for_too_long() -> None:
    waiting = deployment(progressDeadlineSeconds=10)
    waiting["status"], again = deployment_status(waiting, [pod(ready=False)], NOW)
    assert again == 10
    waiting["status"], again = deployment_status(
        waiting, [pod(ready=False)], NOW + timedelta(seconds=4)
    )
    assert again == 6
    late = NOW + timedelta(seconds=10)
    waiting["status"], again = deployment_status(waiting, [pod(ready=False)], late)
    progressing = condition(waiting, "Progressing")
    assert progressing is not None
    assert (progressing["status"], progressing["reason"]) == ("False", "ProgressDeadlineExceeded")
    assert again is None
    waiting["status"], _ = deployment_status(waiting, [pod()], late)
    progressing = condition(waiting, "Progressing")
    assert progressing is not None
    assert progressing["reason"] == "NewReplicaSetAvailable"


@pytest.mark.parametrize(
    ("rolling", "wanted", "expected"),
    [
        ({}, 1, (1, 0)),
        ({}, 4, (1, 1)),
        ({}, 10, (3, 2)),
        ({"maxSurge": 0, "maxUnavailable": 1}, 1, (0, 1)),
        ({"maxSurge": 0, "maxUnavailable": "25%"}, 1, (0, 1)),
        ({"maxSurge": "50%", "maxUnavailable": 0}, 4, (2, 0)),
    ],
)
def test_bounds(rolling: Manifest, wanted: int, expected: tuple[int, int]) -> None:
    assert bounds({"strategy": {"rollingUpdate": rolling}}, wanted) == expected
