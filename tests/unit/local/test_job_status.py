from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from proctor_cli.local.job_policy import verdict
from proctor_cli.local.job_status import counted, end, job_status
from proctor_operator.cluster import Manifest

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NOW_TEXT = "2026-01-02T03:04:05Z"
RULES: Manifest = {
    "rules": [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]},
        {
            "action": "FailJob",
            "onExitCodes": {"containerName": "main", "operator": "In", "values": [64, 65]},
        },
        {"action": "Count", "onExitCodes": {"operator": "NotIn", "values": [2]}},
    ]
}


def job(status: Manifest | None = None, restart: str = "Never", **spec: Any) -> Manifest:
    template = {"spec": {"restartPolicy": restart}}
    meta = {"name": "work", "namespace": "ns"}
    return {"metadata": meta, "spec": {"template": template, **spec}, "status": status or {}}


def pod(code: int = 0, *conditions: str, name: str = "main", restarts: int = 0) -> Manifest:
    state = {"terminated": {"exitCode": code}}
    each = {"name": name, "state": state, "restartCount": restarts}
    return {
        "metadata": {"name": "p", "namespace": "ns"},
        "status": {
            "phase": "Failed" if code else "Succeeded",
            "containerStatuses": [each],
            "conditions": [{"type": kind, "status": "True"} for kind in conditions],
        },
    }


@pytest.mark.parametrize(
    ("failed", "action"),
    [
        pytest.param(pod(64), "FailJob", id="exit code"),
        pytest.param(pod(64, name="adapter"), "Count", id="another container's"),
        pytest.param(pod(64, "DisruptionTarget"), "Ignore", id="first rule wins"),
        pytest.param(pod(1), "Count", id="not in"),
        pytest.param(pod(2), "Count", id="no rule"),
    ],
)
def test_verdict(failed: Manifest, action: str) -> None:
    assert verdict(job(podFailurePolicy=RULES), failed).action == action


def test_a_verdict_is_worded_as_the_job_controller_words_it() -> None:
    expected = (
        "Container main for pod ns/p failed with exit code 64 matching FailJob rule at index 1"
    )
    assert verdict(job(podFailurePolicy=RULES), pod(64)).message == expected


def test_counted() -> None:
    pods = [pod(), pod(1), pod(1, "DisruptionTarget")]
    found = counted(job({"failed": 1}, podFailurePolicy=RULES), pods)
    assert found == {"succeeded": 1, "failed": 2}


@pytest.mark.parametrize(
    ("of", "finished", "reason"),
    [
        pytest.param(job(), [], None, id="goes on"),
        pytest.param(job({"succeeded": 1}), [], "CompletionsReached", id="done"),
        pytest.param(job({"succeeded": 1}, completions=2), [], None, id="half done"),
        pytest.param(job({"failed": 6}), [], None, id="six retries"),
        pytest.param(job({"failed": 7}), [], "BackoffLimitExceeded", id="and no more"),
        pytest.param(job({"failed": 1}, backoffLimit=0), [], "BackoffLimitExceeded", id="none"),
        pytest.param(
            job({"failed": 1}, podFailurePolicy=RULES), [pod(64)], "PodFailurePolicy", id="policy"
        ),
        pytest.param(
            job({"startTime": "2026-01-02T03:04:00Z"}, activeDeadlineSeconds=5),
            [],
            "DeadlineExceeded",
            id="late",
        ),
        pytest.param(
            job({"startTime": "2026-01-02T03:04:00Z"}, activeDeadlineSeconds=6), [], None, id="soon"
        ),
    ],
)
def test_end(of: Manifest, finished: list[Manifest], reason: str | None) -> None:
    over = end(of, finished, [], NOW)
    assert (over.reason if over else None) == reason


@pytest.mark.parametrize(
    ("limit", "restarts", "over"), [(0, 0, False), (0, 1, True), (2, 1, False), (2, 2, True)]
)
def test_restarts_within_a_pod_count_as_retries(limit: int, restarts: int, over: bool) -> None:
    of = job(restart="OnFailure", backoffLimit=limit)
    assert (end(of, [], [pod(1, restarts=restarts)], NOW) is not None) == over


def test_what_was_decided_stays_decided() -> None:
    failing = job({"failed": 1}, backoffLimit=0)
    over = end(failing, [], [], NOW)
    leaving = {"metadata": {"deletionTimestamp": "t"}, "status": {}}
    failing["status"] = job_status(failing, [leaving], over, NOW)
    assert [each["type"] for each in failing["status"]["conditions"]] == ["FailureTarget"]
    assert failing["status"]["terminating"] == 1
    failing["spec"]["backoffLimit"] = 6
    later = NOW + timedelta(seconds=1)
    status = job_status(failing, [], end(failing, [], [], later), later)
    assert [each["type"] for each in status["conditions"]] == ["FailureTarget", "Failed"]
    assert status["conditions"][0]["lastTransitionTime"] == NOW_TEXT


def test_completion() -> None:
    done = job({"succeeded": 1, "startTime": NOW_TEXT})
    status = job_status(done, [], end(done, [], [], NOW), NOW)
    assert [each["type"] for each in status["conditions"]] == ["SuccessCriteriaMet", "Complete"]
    assert status["completionTime"] == NOW_TEXT
    assert "active" not in status


def test_an_active_job() -> None:
    ready = {"metadata": {}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    expected = {
        "active": 1,
        "ready": 1,
        "terminating": 0,
        "startTime": NOW_TEXT,
        "uncountedTerminatedPods": {},
    }
    assert job_status(job(), [ready], None, NOW) == expected
