"""One evaluation, as its Job and pods tell."""

from typing import Any

import pytest

from proctor_crds.evaluation_run import EvaluationStatus
from proctor_crds.packing import packed
from proctor_crds.results import Flagged, ResultRecord
from proctor_crds.wire import EXIT_REJECTED, Failure, RunResult, Unscored
from proctor_operator.cluster import Manifest
from proctor_operator.evaluations import digests, evaluated, inputs, is_running, stands
from tests.builders import (
    EVALUATION,
    NOW,
    STAMP,
    ended,
    make_job,
    make_pod,
    make_run,
    restarted,
    waiting,
)

RECORD = ResultRecord(task="sums", metric="acc", value="0.5", stderr="0.01", n=50)
SCORE = {
    "task": "sums",
    "metric": "acc",
    "filter": "none",
    "value": "0.5",
    "stderr": "0.01",
    "n": 50,
}

KILLED = Failure(reason="HarnessFailed", message="signal 9").model_dump_json()


def said(result: RunResult) -> Manifest:
    """A pod whose harness ended with this result."""
    return make_pod(phase="Succeeded", containers=[ended("harness", 0, result.model_dump_json())])


def failed(reason: str, message: str = "why", code: int = 64, **fields: Any) -> Manifest:
    """A pod whose harness gave up."""
    words = Failure(reason=reason, message=message).model_dump_json()
    return make_pod(phase="Failed", containers=[ended("harness", code, words)], **fields)


def judged(job: Manifest | None, *pods: Manifest, seen: Any = None) -> Manifest:
    """The evaluation `sums` as it is stored."""
    return evaluated("sums", job, pods, seen, NOW).stored


def failure_of(*pods: Manifest, words: str = "BackoffLimitExceeded") -> Manifest:
    """The failure of an evaluation whose Job failed."""
    found: Manifest = judged(make_job(failed=words), *pods)["failure"]
    return found


def test_before_its_job_there_is_nothing_to_tell() -> None:
    assert judged(None) == {"name": "sums", "progress": {"done": 0}}


def test_while_its_job_runs_it_shows_its_progress() -> None:
    found = evaluated("sums", make_job(), [make_pod()], {"done": 3, "total": 9}, NOW)
    assert found.stored == {"name": "sums", "job": "job", "progress": {"done": 3, "total": 9}}
    assert not found.finished


def test_when_its_job_is_complete_it_has_its_scores() -> None:
    found = evaluated(
        "sums", make_job(complete=True), [said(RunResult(results=[RECORD]))], None, NOW
    )
    assert found.stored == {
        "name": "sums",
        "job": "job",
        "progress": {"done": 0},
        "results": [SCORE],
        "completionTime": STAMP,
    }
    assert found.finished
    assert not found.failed


def test_a_result_tells_how_many_requests_it_took_and_what_was_left_out() -> None:
    result = RunResult(results=[RECORD], requests=70, truncated=True)
    found = judged(make_job(complete=True), said(result))
    assert found["progress"] == {"done": 70, "total": 70}
    assert found["truncated"] is True


def test_a_result_tells_what_has_no_score_and_what_may_be_misjudged() -> None:
    parts = [Unscored(task=f"t.{i}", why="w" * 2000) for i in range(150)]
    result = RunResult(results=[RECORD], unscored=parts, flagged=Flagged(truncated=3))
    found = judged(make_job(complete=True), said(result))
    assert found["flagged"] == {"truncated": 3}
    assert (len(found["unscored"]), found["unscored"][0]["task"]) == (100, "t.0")
    EvaluationStatus.model_validate(found)


def test_a_packed_result_is_read() -> None:
    words = packed(RunResult(results=[RECORD]).model_dump_json(by_alias=True))
    pod = make_pod(phase="Succeeded", containers=[ended("harness", 0, words)])
    assert judged(make_job(complete=True), pod)["results"] == [SCORE]


def test_more_scores_than_the_status_holds_are_cut_and_it_says_so() -> None:
    found = judged(make_job(complete=True), said(RunResult(results=[RECORD] * 501)))
    assert (len(found["results"]), found["truncated"]) == (500, True)
    EvaluationStatus.model_validate(found)


@pytest.mark.parametrize(
    "pods",
    [
        [],
        [make_pod(phase="Succeeded", containers=[ended("harness", 0, "")])],
        [make_pod(phase="Succeeded", containers=[ended("harness", 0, "bz2:QlpoOTFB")])],
        [
            make_pod(
                phase="Failed",
                containers=[ended("harness", 1, RunResult(results=[RECORD]).model_dump_json())],
            )
        ],
    ],
    ids=["no pod", "no message", "cut off", "not a success"],
)
def test_a_complete_job_without_a_result_is_not_scored(pods: list[Manifest]) -> None:
    found = judged(make_job(complete=True), *pods)
    assert found["failure"]["reason"] == "Unscored"
    assert found["completionTime"] == STAMP


def test_who_deleted_the_pods_too_early_is_told_how_to_get_the_scores() -> None:
    found = judged(make_job(complete=True))["failure"]
    assert (found["reason"], "change spec.retry.limit" in found["message"]) == ("Unscored", True)


def test_a_result_without_a_score_is_not_scored() -> None:
    found = judged(make_job(complete=True), said(RunResult(results=[])))
    assert found["failure"] == {"reason": "Unscored", "message": "The harness evaluated no sample"}


def test_the_result_is_that_of_the_pod_that_succeeded() -> None:
    pods = failed("TargetUnreachable", code=75, name="first"), said(RunResult(results=[RECORD]))
    assert judged(make_job(complete=True), *pods)["results"] == [SCORE]


@pytest.mark.parametrize(
    ("reason", "code", "told"),
    [
        ("UnknownTask", 64, "UnknownTask"),
        ("TargetUnreachable", 75, "TargetUnreachable"),
        ("HarnessFailed", 1, "HarnessFailed"),
        ("FromTheFuture", 1, "HarnessFailed"),
        ("RuntimeCrashed", 1, "HarnessFailed"),
    ],
)
def test_a_failed_job_gives_its_pod_s_reason(reason: str, code: int, told: str) -> None:
    assert failure_of(failed(reason, code=code)) == {"reason": told, "message": "why"}


def test_the_newest_pod_is_heard() -> None:
    old = failed("TargetUnreachable", "old", created="2026-01-01T00:00:00Z")
    assert failure_of(old, failed("UnknownTask", "new"))["message"] == "new"


def test_a_pod_that_was_deleted_is_heard_last() -> None:
    old = failed("TargetUnreachable", "old", created="2026-01-01T00:00:00Z")
    new = make_pod("new", containers=[ended("harness", 143)], deletionTimestamp=STAMP)
    assert failure_of(old, new)["message"] == "old"
    assert "exit code 143" in failure_of(new)["message"]


def test_a_harness_that_was_killed_failed() -> None:
    found = failure_of(make_pod("p", containers=[ended("harness", 137)]))
    assert found["reason"] == "HarnessFailed"
    assert "Error, exit code 137" in found["message"]


@pytest.mark.parametrize("words", ["", KILLED], ids=["all of it", "the harness's own child"])
def test_a_harness_that_the_kernel_killed_had_too_little_memory(words: str) -> None:
    found = failure_of(make_pod("p", containers=[ended("harness", 1, words, "OOMKilled")]))
    assert found["reason"] == "OutOfMemory"
    assert "resources.limits.memory" in found["message"]


def test_what_else_a_harness_tells_is_no_matter_of_memory() -> None:
    words = Failure(reason="TargetUnreachable", message="why").model_dump_json()
    found = failure_of(make_pod("p", containers=[ended("harness", 75, words, "OOMKilled")]))
    assert found == {"reason": "TargetUnreachable", "message": "why"}


def test_resources_and_retries_are_of_an_attempt_and_not_of_the_scores() -> None:
    larger = [EVALUATION | {"resources": {"limits": {"memory": "2Gi"}}}]
    runs = [make_run(), make_run(evaluations=larger), make_run(retry={"limit": 5})]
    evaluations = [(run.spec, run.spec.evaluations[0]) for run in runs]
    for result, other in ({"results": []}, True), ({"failure": {"reason": "OutOfMemory"}}, False):
        stored = result | digests(*evaluations[0], result)
        assert [stands(*each, stored) for each in evaluations] == [True, other, other]


def test_a_failure_that_the_version_before_noted_stands() -> None:
    run = make_run(evaluations=[EVALUATION | {"resources": {}}], retry={"limit": 5})
    each = run.spec, run.spec.evaluations[0]
    assert stands(*each, {"failure": {}, "inputs": inputs(*each)})
    assert not stands(*each, {"failure": {}, "inputs": "others"})


def test_a_job_whose_pod_never_started_gives_the_pod_s_trouble() -> None:
    found = failure_of(make_pod("p", phase="Pending", init=[waiting("adapter", "ErrImagePull")]))
    assert found["reason"] == "ImagePullFailed"


def test_a_job_without_pods_speaks_for_itself() -> None:
    assert failure_of(words="Too many") == {"reason": "HarnessFailed", "message": "Too many"}


def test_the_inputs_of_a_run_are_those_that_the_version_before_noted() -> None:
    """Else an upgrade would evaluate every finished run again."""
    run = make_run()
    assert inputs(run.spec, run.spec.evaluations[0]) == "09293d0f14"


def test_an_adapter_that_refuses_its_configuration_ends_the_evaluation() -> None:
    words = Failure(reason="ParameterInvalid", message="adapter: x: unknown").model_dump_json()
    again = restarted("adapter", EXIT_REJECTED, words)
    for status in (again, ended("adapter", EXIT_REJECTED, words)):
        found = judged(make_job(), make_pod(phase="Pending", init=[status]))
        assert found["failure"] == {"reason": "ParameterInvalid", "message": "adapter: x: unknown"}
        assert found["completionTime"] == STAMP


@pytest.mark.parametrize(
    "pod",
    [
        make_pod(init=[restarted("adapter", 1)]),
        make_pod(init=[restarted("other", EXIT_REJECTED)]),
        make_pod(init=[restarted("adapter", EXIT_REJECTED)], deletionTimestamp=STAMP),
    ],
    ids=["a crash", "another container", "a pod that goes"],
)
def test_an_adapter_that_is_started_anew_for_another_reason_does_not(pod: Manifest) -> None:
    assert "failure" not in judged(make_job(), pod)


@pytest.mark.parametrize(
    ("seen", "stored"),
    [
        (None, {"done": 0}),
        ({}, {"done": 0}),
        ({"done": 2}, {"done": 2}),
        ({"done": 2, "total": None}, {"done": 2}),
        ({"done": 2, "total": 5, "failed": 1, "last_error": "x"}, {"done": 2, "total": 5}),
        ({"done": "2"}, {"done": 0}),
        ({"done": -1}, {"done": 0}),
        ({"done": 1.5, "total": 3}, {"done": 0}),
    ],
    ids=str,
)
def test_an_adapter_s_progress_is_taken_as_far_as_it_makes_sense(seen: Any, stored: Any) -> None:
    assert judged(make_job(), seen=seen)["progress"] == stored


def test_only_a_running_pod_that_stays_is_asked() -> None:
    dying = make_pod(deletionTimestamp=STAMP)
    pods = [make_pod(), make_pod(phase="Pending"), dying, {"metadata": {}}]
    assert [is_running(pod) for pod in pods] == [True, False, False, False]


def test_a_pod_that_failed_has_the_last_word_on_what_was_answered() -> None:
    words = Failure(reason="HarnessFailed", message="why", requests=7).model_dump_json()
    pod = make_pod("p", containers=[ended("harness", 1, message=words)])
    found = judged(make_job(failed="BackoffLimitExceeded"), pod)
    assert found["progress"]["done"] == 7
