"""Conditions keep their time while their status stays, and transitions become events."""

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor_crds.reasons import ConditionType, Reason
from proctor_operator.status import (
    FALSE,
    MESSAGE_LIMIT,
    QUIET,
    TRUE,
    UNKNOWN,
    Condition,
    accepted,
    find,
    judged_before,
    merged,
    timestamp,
    transitions,
)
from tests.builders import NOW, STAMP

few = settings(max_examples=25)

REGARDING = {"kind": "EvaluationRun", "metadata": {"name": "run"}}
LATER = NOW + timedelta(hours=1)
READY = Condition(ConditionType.READY, TRUE, Reason.ALL_REPLICAS_READY, "1 of 1")

truths = st.sampled_from([TRUE, FALSE, UNKNOWN])
conditions = st.lists(
    st.builds(
        Condition, st.sampled_from(ConditionType), truths, st.sampled_from(Reason), st.text()
    ),
    unique_by=lambda c: c.type,
)


def test_a_new_condition_begins_now() -> None:
    assert merged([READY], [], 3, NOW) == [
        {
            "type": "Ready",
            "status": "True",
            "reason": "AllReplicasReady",
            "message": "1 of 1",
            "lastTransitionTime": STAMP,
            "observedGeneration": 3,
        }
    ]


@few
@given(conditions)
def test_a_condition_whose_status_stays_keeps_its_time(judged: list[Condition]) -> None:
    before = merged(judged, [], 1, NOW)
    renewed = [Condition(c.type, c.status, Reason.STARTING, "other") for c in judged]
    after = merged(renewed, before, 2, LATER)
    assert {c["lastTransitionTime"] for c in after} <= {STAMP}
    assert [c["message"] for c in after] == ["other"] * len(judged)


@few
@given(conditions, conditions)
def test_a_condition_whose_status_changes_begins_now(
    before: list[Condition], judged: list[Condition]
) -> None:
    stored = merged(before, [], 1, NOW)
    statuses = {c["type"]: c["status"] for c in stored}
    for condition in merged(judged, stored, 2, LATER):
        kept = statuses.get(condition["type"]) == condition["status"]
        assert condition["lastTransitionTime"] == (STAMP if kept else timestamp(LATER))


@few
@given(conditions)
def test_what_did_not_change_is_no_event(judged: list[Condition]) -> None:
    stored = merged(judged, [], 1, NOW)
    assert list(transitions(REGARDING, stored, merged(judged, stored, 2, LATER))) == []


def test_a_condition_that_is_no_longer_judged_goes() -> None:
    assert merged([], merged([READY], [], 1, NOW), 1, NOW) == []


def test_a_message_is_cut_where_the_api_would_refuse_it() -> None:
    long = Condition(ConditionType.READY, FALSE, Reason.RUNTIME_CRASHED, "x" * 40_000)
    assert len(merged([long], [], 1, NOW)[0]["message"]) == MESSAGE_LIMIT


def test_a_transition_is_told_with_status_and_message() -> None:
    (event,) = transitions(REGARDING, [], merged([READY], [], 1, NOW))
    assert (event.type, event.reason) == ("Normal", "AllReplicasReady")
    assert event.message == "Ready=True: 1 of 1"
    assert event.regarding == REGARDING


def test_a_new_reason_is_a_transition_though_the_status_stays() -> None:
    before = merged([Condition(ConditionType.READY, FALSE, Reason.STARTING, "a")], [], 1, NOW)
    judged = [Condition(ConditionType.READY, FALSE, Reason.IMAGE_PULL_FAILED, "b")]
    (event,) = transitions(REGARDING, before, merged(judged, before, 1, NOW))
    assert event.type == "Warning"


@pytest.mark.parametrize(
    "reason",
    [
        Reason.CHAT_TEMPLATE_INVALID,
        Reason.SOURCE_DENIED,
        Reason.SOURCE_UNREACHABLE,
        Reason.VOLUME_FULL,
        Reason.KV_CACHE_TOO_SMALL,
        Reason.TARGET_REFUSED,
        Reason.METRIC_AMBIGUOUS,
    ],
)
def test_what_keeps_something_from_going_on_is_a_warning(reason: Reason) -> None:
    judged = [Condition(ConditionType.READY, FALSE, reason, "why")]
    (event,) = transitions(REGARDING, [], merged(judged, [], 1, NOW))
    assert event.type == "Warning"


def test_no_reason_that_says_that_something_is_wrong_is_quiet() -> None:
    wrong = ("Invalid", "Failed", "NotFound", "Denied", "Rejected", "Crashed", "Refused")
    assert not [reason for reason in QUIET if reason.endswith(wrong)]


def test_time_is_written_in_utc() -> None:
    zone = timezone(timedelta(hours=2))
    assert timestamp(datetime(2026, 1, 2, 5, 4, 5, 999, tzinfo=zone)) == STAMP


def test_acceptance_names_the_problem() -> None:
    assert accepted().status == TRUE
    assert accepted("spec.x: wrong") == Condition(
        ConditionType.ACCEPTED, FALSE, Reason.SPEC_INVALID, "spec.x: wrong"
    )
    assert accepted("quota", Reason.CHILD_REJECTED).reason == Reason.CHILD_REJECTED


def test_a_condition_is_found_by_type() -> None:
    stored = merged([READY], [], 1, NOW)
    assert find(stored, ConditionType.READY) == stored[0]
    assert find(stored, ConditionType.RUNNING) is None


def test_a_stored_condition_is_read_as_it_was_judged() -> None:
    stored = merged([READY], [], 1, NOW)
    assert judged_before({"conditions": stored}, ConditionType.READY) == READY
    assert judged_before({"conditions": stored}, ConditionType.RUNNING) is None
    assert judged_before({}, ConditionType.READY) is None
    stored[0]["reason"] = "OfAnotherVersion"
    assert judged_before({"conditions": stored}, ConditionType.READY) is None
