"""A minute of what `python -m bench.soak` does for half an hour."""

from collections import Counter

import pytest

from tests.runtime.conftest import quiet

with quiet():
    from bench.soak import Soak, complaints, errors_in, run, under_way
    from bench.soak_load import CROWD, KINDS, Tally, WrongAnswerError, check, check_stream

MEGABYTE = 10**6
STILL_WARMING_UP = 0.15
"""Of memory; in a minute the cache of keys and values has not been filled once."""


@pytest.mark.soak
def test_mixed_load_with_clients_that_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    # On a machine with much else to do an answer takes its time; one that never comes is told.
    monkeypatch.setattr("bench.soak_load.STUCK_SECONDS", 600)
    with quiet():
        assert run(1, "triton", STILL_WARMING_UP) == []


def seen(*megabytes: int, **counts: int) -> Soak:
    outcomes = Counter({(kind.name, "answered"): 1 for kind in (*KINDS, CROWD)})
    outcomes |= Counter({("any", what): count for what, count in counts.items()})
    memory = [Counter({"server": size * MEGABYTE}) for size in megabytes]
    return Soak(tally=Tally(outcomes=outcomes), memory=memory)


GOOD = seen(*[50] * 5, *[100] * 25, left=1, full=1)


def test_a_soak_without_complaints() -> None:
    assert complaints(GOOD, "2026 INFO serving") == []


@pytest.mark.parametrize(
    ("soak", "complaint"),
    [
        (seen(*[100] * 29, 106, left=1, full=1), "memory changed by 6.0%"),
        (seen(*[100] * 30, left=1, full=1, error=2), "2 errors"),
        (seen(*[100] * 30, left=1, full=1, stuck=1), "1 stuck"),
        (seen(*[100] * 30, full=1), "no client ever left"),
        (seen(*[100] * 30, left=1), "never full"),
    ],
    ids=["memory", "errors", "stuck", "nobody left", "never full"],
)
def test_each_criterion(soak: Soak, complaint: str) -> None:
    (found,) = complaints(soak, "")
    assert complaint in found


def test_errors_of_the_server_count() -> None:
    assert complaints(GOOD, "2026 ERROR the engine") != []
    assert errors_in("2026 INFO fine") == []


def test_rest_is_when_all_gauges_are_0() -> None:
    idle = 'vllm:num_requests_running{a="b"} 0.0\n'
    others = 'vllm:num_requests_waiting{a="b"} 0.0\nvllm:kv_cache_usage_perc{a="b"} '
    assert under_way(f"{idle}{others}0.0\n") == {}
    assert under_way(f"{idle}{others}0.5\n") == {"kv_cache_usage_perc": 0.5}


def test_wrong_answers_are_told() -> None:
    body = {"prompt": [[1, 2]], "echo": True, "max_tokens": 0}
    answer = '{"choices": [{"finish_reason": "length", "logprobs": {"token_logprobs": [%s]}}]}'
    check(answer % "null, 1", body)
    with pytest.raises(WrongAnswerError):
        check(answer % "null", body)
    with pytest.raises(WrongAnswerError):
        check('{"choices": []}', body)
    chunk = 'data: {"choices": [{"finish_reason": "stop"}], "usage": {"total_tokens": 1}}\n\n'
    check_stream(f"{chunk}data: [DONE]\n\n", {})
    with pytest.raises(WrongAnswerError):
        check_stream(chunk, {})
