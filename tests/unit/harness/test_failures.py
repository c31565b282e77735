import pytest

from proctor_crds.results import ResultRecord
from proctor_crds.wire import RunResult
from proctor_harness.adapter.progress import Snapshot, Unanswered
from proctor_harness.failures import (
    RunError,
    diagnose,
    forgotten,
    last_words,
    late,
    refused,
    unreachable,
)

TRACEBACK = """\
2026-01-01 INFO start
Requesting API:  10%|#         | 1/10\r\
Traceback (most recent call last):
  File "x.py", line 1, in main
    call()
  ^^^^^^
ValueError: first line
second line
"""


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (TRACEBACK, "ValueError: first line\nsecond line"),
        ("one\ntwo\n\n", "two"),
        ("", "it printed nothing"),
        ("50%|##\r100%|####\r", "it printed nothing"),
        ("Traceback (most recent call last):\n  File", "  File"),
        ("x" * 5000, "x" * 1000),
    ],
    ids=["exception", "last line", "silence", "only a bar", "cut off", "long"],
)
def test_last_words(output: str, words: str) -> None:
    assert last_words(output) == words


@pytest.mark.parametrize(
    ("evidence", "reason", "exit_code"),
    [
        (None, "TargetUnreachable", 75),
        (Snapshot(unanswered=Unanswered(unavailable=1, rejected=1)), "TargetUnreachable", 75),
        (Snapshot(unanswered=Unanswered(rejected=1), last_error="HTTP 400"), "HarnessFailed", 1),
        (
            Snapshot(unanswered=Unanswered(abandoned=2), longest_abandoned_seconds=9.8),
            "TargetUnreachable",
            75,
        ),
        (
            Snapshot(unanswered=Unanswered(abandoned=2), longest_abandoned_seconds=1),
            "HarnessFailed",
            1,
        ),
        (Snapshot(failed=7), "HarnessFailed", 1),
        (Snapshot(unanswered=Unanswered(adapter=1)), "InterceptorFailed", 1),
    ],
    ids=[
        "no adapter",
        "5xx",
        "4xx",
        "timed out",
        "dropped by a crash",
        "all answered",
        "interceptor",
    ],
)
def test_the_adapter_knows_whose_fault_it_is(
    evidence: Snapshot | None, reason: str, exit_code: int
) -> None:
    error = diagnose(1, TRACEBACK, evidence, timeout_seconds=10)
    assert (error.failure.reason, error.exit_code) == (reason, exit_code)


def test_a_killed_harness_says_which_signal() -> None:
    assert "signal 9" in diagnose(-9, "", Snapshot(), 10).failure.message


def test_the_targets_words_are_quoted() -> None:
    evidence = Snapshot(unanswered=Unanswered(rejected=1), last_error="HTTP 404: no such model")
    assert "no such model" in diagnose(1, TRACEBACK, evidence, 10).failure.message


def test_open_questions_forbid_a_score() -> None:
    assert unreachable(Snapshot()) is None
    assert unreachable(Snapshot(unanswered=Unanswered(unavailable=1))) is not None
    failed = unreachable(Snapshot(unanswered=Unanswered(adapter=2), last_error="reasoning: x"))
    assert failed is not None
    assert "the adapter failed 2 requests; last: reasoning: x" in failed.failure.message


def test_what_the_harness_gave_up_is_told_with_how_long_it_waited() -> None:
    assert late(Snapshot()) is None
    left = Snapshot(unanswered=Unanswered(abandoned=2), longest_abandoned_seconds=1.25)
    assert late(left, 9) is None
    found = late(left)
    assert found is not None
    assert (found.failure.reason, found.exit_code) == ("TargetUnreachable", 75)
    assert "gave up 2 requests, the longest after 1.25 s" in found.failure.message


@pytest.mark.parametrize(
    ("rejected", "errors", "scored"),
    [(0, [None], True), (2, [1, 1], True), (2, [1, None], False), (1, [None], False)],
)
def test_a_refused_question_forbids_a_score_that_does_not_tell_of_it(
    rejected: int, errors: list[int | None], scored: bool
) -> None:
    evidence = Snapshot(unanswered=Unanswered(rejected=rejected), last_error="HTTP 400: too long")
    records = [ResultRecord(task="t", metric="m", value="1", n=9, errors=e) for e in errors]
    found = refused(evidence, RunResult(results=records))
    assert (found is None) is scored
    if found:
        assert (found.failure.reason, found.exit_code) == ("TargetRefused", 64)
        assert f"refused {rejected} questions" in found.failure.message
        assert "too long" in found.failure.message


def test_that_nobody_was_let_in_is_no_wrong_answer_whoever_counts_it() -> None:
    """bfcl takes each refusal for an answer, and counts it."""
    evidence = Snapshot(unanswered=Unanswered(denied=9), last_error="HTTP 401: no such key")
    counted = [ResultRecord(task="t", metric="m", value="0", n=9, errors=9)]
    found = refused(evidence, RunResult(results=counted))
    assert found is not None
    assert (found.failure.reason, found.exit_code) == ("TargetRefused", 64)
    assert "9 requests away, whatever they ask; last: HTTP 401" in found.failure.message


def test_a_budget_of_turns_that_is_spent_forbids_nothing() -> None:
    spent = Snapshot(unanswered=Unanswered(refused=3))
    assert unreachable(spent) is None
    assert refused(spent, RunResult(results=[])) is None


def test_an_adapter_that_was_started_anew_has_forgotten() -> None:
    before = Snapshot(process="a")
    assert forgotten(before, Snapshot(process="a")) is None
    lost = forgotten(before, Snapshot(process="b"))
    assert lost is not None
    assert (lost.failure.reason, lost.exit_code) == ("TargetUnreachable", 75)


def test_a_long_message_is_clipped_at_a_character() -> None:
    assert len(RunError("HarnessFailed", "ü" * 4000).failure.message.encode()) == 3072
