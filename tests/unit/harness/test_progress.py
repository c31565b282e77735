from datetime import UTC, datetime
from typing import Any

from proctor_harness.adapter.progress import Progress, Unanswered, trouble
from proctor_harness.adapter.traffic import ABANDONED, Exchange


def exchange(**changes: Any) -> Exchange:
    default: dict[str, Any] = {
        "at": datetime(2026, 1, 1, tzinfo=UTC),
        "method": "POST",
        "target": "/v1/completions",
        "status": 200,
        "seconds": 0.5,
        "digest": "a",
        "items": 1,
        "usage": None,
        "error": None,
    }
    return Exchange(**default | changes)


def recorded(*exchanges: Exchange) -> Progress:
    progress = Progress()
    for one in exchanges:
        progress.record(one)
    return progress


def test_only_good_answers_are_progress() -> None:
    snapshot = recorded(exchange(items=3), exchange(status=500), exchange(status=400)).snapshot()
    assert (snapshot.done, snapshot.failed) == (3, 2)


def test_a_later_answer_settles_the_question() -> None:
    snapshot = recorded(exchange(status=500), exchange(status=429), exchange()).snapshot()
    assert snapshot.unanswered == Unanswered()
    assert snapshot.failed == 2


def test_another_questions_answer_does_not() -> None:
    snapshot = recorded(exchange(status=500), exchange(digest="b")).snapshot()
    assert snapshot.unanswered == Unanswered(unavailable=1)


def test_dropped_requests_do_not_hide_the_cause() -> None:
    progress = recorded(
        exchange(status=500, error="boom"),
        exchange(status=ABANDONED, digest="b", seconds=4, error="left"),
    )
    snapshot = progress.snapshot()
    assert snapshot.last_error == "POST /v1/completions: HTTP 500: boom"
    assert snapshot.unanswered == Unanswered(unavailable=1, abandoned=1)
    assert snapshot.longest_abandoned_seconds == 4


def test_done_never_exceeds_the_total() -> None:
    progress = recorded(exchange(items=5))
    progress.total = 4
    assert progress.snapshot().done == 4


def test_trouble() -> None:
    kinds = [trouble(status).value for status in (500, 504, 429, 408, 400, 404, 302, ABANDONED)]
    assert kinds == ["unavailable"] * 4 + ["rejected"] * 3 + ["abandoned"]
