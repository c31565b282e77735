from typing import Any

import pytest

from proctor_crds.results import Flagged
from proctor_harness.adapter.flags import Flag
from proctor_harness.adapter.messages import Origin
from proctor_harness.adapter.metrics import Metrics
from proctor_harness.adapter.progress import Progress, Snapshot, Unanswered, trouble
from proctor_harness.adapter.traffic import ABANDONED, Exchange


def exchange(**changes: Any) -> Exchange:
    default: dict[str, Any] = {
        "ended": 1_767_225_600.0,
        "method": "POST",
        "target": "/v1/completions",
        "status": 200,
        "seconds": 0.5,
        "digest": "a",
        "items": 1,
        "origin": Origin.TARGET,
    }
    return Exchange(**default | changes)


def recorded(*exchanges: Exchange) -> Progress:
    """Each is told when it ends."""
    clock = iter([one.ended for one in exchanges])
    progress = Progress(lambda: next(clock))
    for one in exchanges:
        progress.record(one)
    return progress


def at(began: float, ended: float, **changes: Any) -> Exchange:
    return exchange(ended=ended, seconds=ended - began, **changes)


def test_only_good_answers_are_progress() -> None:
    snapshot = recorded(exchange(items=3), exchange(status=500), exchange(status=400)).snapshot()
    assert (snapshot.done, snapshot.failed) == (3, 2)


def test_a_later_answer_settles_the_question() -> None:
    tries = (at(0, 1, status=500), at(1, 2, status=429), at(2, 3))
    snapshot = recorded(*tries).snapshot()
    assert snapshot.unanswered == Unanswered()
    assert snapshot.failed == 2


def test_another_samples_answer_does_not() -> None:
    """Asked at once, two samples of a prompt are one question; one of them has no answer."""
    failed, other = at(0, 1, status=503), at(0.5, 4)
    assert recorded(failed, other).snapshot().unanswered == Unanswered(unavailable=1)
    assert recorded(failed, other, at(2, 5)).snapshot().unanswered == Unanswered()


def test_a_client_that_left_may_ask_again_before_that_is_noticed() -> None:
    left = at(0, 10, status=ABANDONED)
    assert recorded(left, at(9.9, 12)).snapshot().unanswered == Unanswered()
    assert recorded(left, at(0, 12)).snapshot().unanswered == Unanswered(abandoned=1)


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


def test_a_stored_answer_is_progress_and_told_apart() -> None:
    snapshot = recorded(exchange(items=2, origin=Origin.CACHE), exchange()).snapshot()
    assert (snapshot.done, snapshot.cached) == (3, 2)


def test_the_adapters_own_failures_are_counted_apart() -> None:
    failed = exchange(status=500, origin=Origin.ADAPTER, error="interceptor reasoning: x")
    snapshot = recorded(failed, exchange(status=429, origin=Origin.ADAPTER, digest="b")).snapshot()
    assert snapshot.unanswered == Unanswered(adapter=1, refused=1)
    assert snapshot.done == 0


def test_a_page_that_a_server_lacks_is_no_refused_question() -> None:
    missing = exchange(method="GET", target="/tokenizer_info", status=404, items=0)
    snapshot = recorded(missing, exchange(status=400, digest="b")).snapshot()
    assert (snapshot.failed, snapshot.unanswered) == (2, Unanswered(rejected=1))
    denied = recorded(missing, exchange(status=404, digest="b")).snapshot()
    assert denied.unanswered == Unanswered(denied=1)
    broken = recorded(exchange(method="GET", target="/v1/models", status=500, items=0)).snapshot()
    assert broken.unanswered == Unanswered(unavailable=1)


@pytest.mark.parametrize("path", ["/v1/embeddings", "/v1/responses", "/v1/chat/completions"])
@pytest.mark.parametrize(("status", "kind"), [(400, "rejected"), (401, "denied")])
def test_whatever_asks_the_model_is_a_question(path: str, status: int, kind: str) -> None:
    snapshot = recorded(exchange(target=path, status=status, items=0)).snapshot()
    assert (snapshot.asked, snapshot.unanswered) == (1, Unanswered(**{kind: 1}))


def test_a_page_that_the_harness_did_not_wait_for_is_no_question() -> None:
    page = exchange(method="GET", target="/v1/models", status=ABANDONED, items=0)
    asked = exchange(target="/v1/embeddings", status=ABANDONED, items=0, digest="b", seconds=0.25)
    assert recorded(page).snapshot().unanswered == Unanswered()
    snapshot = recorded(page, asked).snapshot()
    assert (snapshot.failed, snapshot.unanswered) == (2, Unanswered(abandoned=1))
    assert snapshot.longest_abandoned_seconds == 0.25


def test_each_process_counts_under_a_name_of_its_own() -> None:
    one, other = Progress(), Progress()
    assert one.snapshot().process == one.snapshot().process != other.snapshot().process


def test_odd_answers_are_done_and_flagged() -> None:
    odd = exchange(flags=frozenset({Flag.REASONING_ONLY, Flag.TRUNCATED}))
    snapshot = recorded(odd, exchange(flags=frozenset({Flag.EMPTY}))).snapshot()
    assert snapshot.done == 2
    assert snapshot.flagged == Flagged(reasoning_only=1, truncated=1, empty=1)


def test_metrics_count_tokens_only_where_they_were_paid_for() -> None:
    metrics = Metrics()
    for origin in (Origin.TARGET, Origin.CACHE):
        metrics.record(exchange(origin=origin, usage={"prompt_tokens": 5}, flags={Flag.EMPTY}))
    text = metrics.exposition(Snapshot(done=2))
    assert 'proctor_adapter_tokens_total{kind="prompt_tokens"} 5\n' in text
    assert 'proctor_adapter_answers_total{origin="cache"} 1\n' in text
    assert 'proctor_adapter_flagged_total{flag="empty"} 2\n' in text


def test_trouble() -> None:
    statuses = (500, 504, 429, 408, 400, 422, 302, 401, 402, 403, 404, 405, 410, ABANDONED)
    kinds = ["unavailable"] * 4 + ["rejected"] * 3 + ["denied"] * 6 + ["abandoned"]
    assert [trouble(status).value for status in statuses] == kinds
