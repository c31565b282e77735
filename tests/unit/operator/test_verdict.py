"""The gate: bounds against confidence intervals."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor_crds.evaluation_run import Gate
from proctor_crds.reasons import Reason
from proctor_crds.results import ResultRecord
from proctor_operator.status import Condition
from proctor_operator.verdict import interval, judge


def record(value: str = "0.6", stderr: str | None = "0.01", task: str = "sums") -> ResultRecord:
    """A score of 0.6 ± 0.01."""
    return ResultRecord(task=task, metric="acc", value=value, stderr=stderr, n=100)


def judged(*rules: dict[str, str], records: Any = None, **gate: str) -> Condition:
    """The verdict on `rules`, each on the metric `acc` of the task `sums` unless it says other."""
    whole = [{"task": "sums", "metric": "acc"} | rule for rule in rules]
    parsed = Gate.model_validate({"rules": whole} | gate)
    return judge(parsed, [record()] if records is None else records)


VERDICTS: dict[str, tuple[dict[str, str], str, Reason]] = {
    "above its least": ({"min": "0.5"}, "True", Reason.WITHIN_BOUNDS),
    "below its least": ({"min": "0.7"}, "False", Reason.OUT_OF_BOUNDS),
    "about its least": ({"min": "0.61"}, "Unknown", Reason.INCONCLUSIVE),
    "below its most": ({"max": "0.7"}, "True", Reason.WITHIN_BOUNDS),
    "above its most": ({"max": "0.5"}, "False", Reason.OUT_OF_BOUNDS),
    "about its most": ({"max": "0.6"}, "Unknown", Reason.INCONCLUSIVE),
    "between the two": ({"min": "0.5", "max": "0.7"}, "True", Reason.WITHIN_BOUNDS),
    "a least of zero counts": ({"min": "0", "max": "0.1"}, "False", Reason.OUT_OF_BOUNDS),
    "a metric that is not there": (
        {"metric": "f1", "min": "0"},
        "Unknown",
        Reason.METRIC_NOT_FOUND,
    ),
}


@pytest.mark.parametrize(("rule", "status", "reason"), VERDICTS.values(), ids=VERDICTS)
def test_one_rule(rule: dict[str, str], status: str, reason: Reason) -> None:
    found = judged(rule)
    assert (found.status, found.reason) == (status, reason)


KEPT, BROKEN, OPEN = {"min": "0.5"}, {"min": "0.7"}, {"min": "0.6"}
MISSING = {"task": "sum", "min": "0"}


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ([KEPT, BROKEN, OPEN, MISSING], Reason.OUT_OF_BOUNDS),
        ([KEPT, OPEN, MISSING], Reason.METRIC_NOT_FOUND),
        ([KEPT, OPEN], Reason.INCONCLUSIVE),
        ([KEPT, KEPT], Reason.WITHIN_BOUNDS),
    ],
    ids=["broken", "missing", "open", "kept"],
)
def test_the_worst_rule_decides(rules: list[dict[str, str]], reason: Reason) -> None:
    assert judged(*rules).reason == reason
    assert judged(*reversed(rules)).reason == reason


@pytest.mark.parametrize(
    ("rule", "forced", "status"),
    [
        (OPEN, "Pass", "True"),
        (OPEN, "Fail", "False"),
        (OPEN, "Unknown", "Unknown"),
        (MISSING, "Pass", "Unknown"),
        (MISSING, "Fail", "False"),
        (BROKEN, "Pass", "False"),
    ],
)
def test_on_inconclusive_decides_only_what_samples_could(
    rule: dict[str, str], forced: str, status: str
) -> None:
    assert judged(rule, onInconclusive=forced).status == status


def test_a_broken_rule_is_not_passed_because_another_metric_is_missing() -> None:
    assert judged(BROKEN, MISSING, onInconclusive="Pass").status == "False"


def test_no_scores_at_all_pass_nothing() -> None:
    found = judged(KEPT, records=[], onInconclusive="Pass")
    assert found.status == "Unknown"
    assert found.message == "sums/acc was not measured; measured: none"


def test_a_missing_metric_is_told_with_those_that_there_are() -> None:
    assert judged(MISSING).message == "sum/acc was not measured; measured: sums/acc"


def test_a_verdict_names_score_interval_and_bounds() -> None:
    assert judged(BROKEN).message == "sums/acc 0.6 in [0.5804, 0.6196], bounds [0.7, inf]"


def test_a_score_without_error_is_exact() -> None:
    assert judged({"min": "0.6"}, records=[record(stderr=None)]).status == "True"


def test_more_confidence_is_a_wider_interval() -> None:
    assert judged({"min": "0.58"}, confidence="0.95").status == "True"
    assert judged({"min": "0.58"}, confidence="0.999").status == "Unknown"


decimals = st.decimals(-100, 100, places=4).map(str)


@given(decimals, decimals.map(lambda text: text.lstrip("-")))
def test_an_interval_contains_its_value(value: str, stderr: str) -> None:
    found = interval(record(value, stderr), 0.95)
    assert found.low <= found.value <= found.high
