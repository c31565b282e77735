"""The gate: bounds against confidence intervals."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor_crds.evaluation_run import Gate
from proctor_crds.reasons import Reason
from proctor_crds.results import ResultRecord
from proctor_operator.status import Condition
from proctor_operator.verdict import Score, interval, judge


def record(value: str = "0.6", stderr: str | None = "0.01", **fields: Any) -> ResultRecord:
    """A score of 0.6 ± 0.01."""
    named = {"task": "sums", "metric": "acc"} | fields
    return ResultRecord(value=value, stderr=stderr, n=100, **named)


def score(value: str = "0.6", evaluation: str = "one", **fields: Any) -> Score:
    """The same, of an evaluation."""
    return Score(evaluation, record(value, **fields))


def judged(*rules: dict[str, str], scores: Any = None, **gate: str) -> Condition:
    """The verdict on `rules`, each on the metric `acc` of the task `sums` unless it says other."""
    whole = [{"task": "sums", "metric": "acc"} | rule for rule in rules]
    parsed = Gate.model_validate({"rules": whole} | gate)
    return judge(parsed, [score()] if scores is None else scores)


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
AMBIGUOUS = {"metric": "match", "min": "0"}
TWICE = [score(metric="match", filter="strict"), score(metric="match", filter="flexible")]


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ([KEPT, BROKEN, OPEN, MISSING, AMBIGUOUS], Reason.OUT_OF_BOUNDS),
        ([KEPT, OPEN, MISSING, AMBIGUOUS], Reason.METRIC_NOT_FOUND),
        ([KEPT, OPEN, AMBIGUOUS], Reason.METRIC_AMBIGUOUS),
        ([KEPT, OPEN], Reason.INCONCLUSIVE),
        ([KEPT, KEPT], Reason.WITHIN_BOUNDS),
    ],
    ids=["broken", "missing", "ambiguous", "open", "kept"],
)
def test_the_worst_rule_decides(rules: list[dict[str, str]], reason: Reason) -> None:
    scores = [score(), *TWICE]
    assert judged(*rules, scores=scores).reason == reason
    assert judged(*reversed(rules), scores=scores).reason == reason


@pytest.mark.parametrize(
    ("rule", "forced", "status"),
    [
        (OPEN, "Pass", "True"),
        (OPEN, "Fail", "False"),
        (OPEN, "Unknown", "Unknown"),
        (MISSING, "Pass", "Unknown"),
        (MISSING, "Fail", "False"),
        (AMBIGUOUS, "Pass", "Unknown"),
        (AMBIGUOUS, "Fail", "False"),
        (BROKEN, "Pass", "False"),
    ],
)
def test_on_inconclusive_decides_only_what_samples_could(
    rule: dict[str, str], forced: str, status: str
) -> None:
    assert judged(rule, scores=[score(), *TWICE], onInconclusive=forced).status == status


def test_a_broken_rule_is_not_passed_because_another_metric_is_missing() -> None:
    assert judged(BROKEN, MISSING, onInconclusive="Pass").status == "False"


def test_no_scores_at_all_pass_nothing() -> None:
    found = judged(KEPT, scores=[], onInconclusive="Pass")
    assert found.status == "Unknown"
    assert found.message == "sums/acc was not measured; measured: none"


def test_a_metric_that_may_not_have_fitted_is_not_said_to_be_missing() -> None:
    gate = Gate.model_validate({"rules": [{"task": "sum", "metric": "acc", "min": "0"}]})
    found = judge(gate, [score()], ["one"])
    assert (found.status, found.reason) == ("Unknown", Reason.METRIC_NOT_FOUND)
    words = "sum/acc may be among the scores of one that did not fit into the status"
    assert found.message == f"{words}; measured: sums/acc"
    assert "was not measured" in judge(gate, [score()]).message
    rule = gate.rule_list[0].model_copy(update={"evaluation": "two"})
    of_two = gate.model_copy(update={"rule_list": [rule]})
    assert "was not measured by two" in judge(of_two, [score()], ["one"]).message


def test_a_missing_metric_is_told_with_those_that_there_are() -> None:
    assert judged(MISSING).message == "sum/acc was not measured; measured: sums/acc"


FILTERED = [score("0.2", filter="strict"), score("0.9", filter="flexible")]
ASKED_TWICE = [score("0.2", "zero-shot"), score("0.9", "five-shot")]


@pytest.mark.parametrize("scores", [FILTERED, FILTERED[::-1]], ids=["one way", "the other"])
def test_of_several_filters_the_rule_names_one(scores: list[Score]) -> None:
    assert judged({"filter": "strict", "min": "0.5"}, scores=scores).status == "False"
    found = judged({"filter": "flexible", "min": "0.5"}, scores=scores)
    assert found.status == "True"
    assert found.message == "sums/acc,flexible 0.9 in [0.8804, 0.9196], bounds [0.5, inf]"


def test_of_several_evaluations_the_rule_names_one() -> None:
    assert judged({"evaluation": "zero-shot", "min": "0.5"}, scores=ASKED_TWICE).status == "False"
    assert judged({"evaluation": "five-shot", "min": "0.5"}, scores=ASKED_TWICE).status == "True"


@pytest.mark.parametrize(
    ("scores", "remedy"),
    [
        (FILTERED, "set filter to flexible or strict"),
        (ASKED_TWICE, "set evaluation to five-shot or zero-shot"),
        (
            [score(filter="strict"), score(evaluation="two")],
            "set filter to none or strict and set evaluation to one or two",
        ),
        ([score(), score()], "name another metric: nothing tells these apart"),
    ],
    ids=["filters", "evaluations", "both", "neither"],
)
def test_a_rule_that_names_several_scores_is_told_how_to_name_one(
    scores: list[Score], remedy: str
) -> None:
    found = judged(KEPT, scores=scores)
    assert (found.status, found.reason) == ("Unknown", Reason.METRIC_AMBIGUOUS)
    assert found.message == f"sums/acc was measured 2 times; in the rule, {remedy}"


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"filter": "strict"}, "sums/acc,strict was not measured; measured: sums/acc"),
        ({"evaluation": "two"}, "sums/acc was not measured by two; measured: sums/acc"),
    ],
    ids=["filter", "evaluation"],
)
def test_a_filter_or_an_evaluation_that_is_not_there_is_named(
    rule: dict[str, str], words: str
) -> None:
    found = judged(KEPT | rule)
    assert (found.reason, found.message) == (Reason.METRIC_NOT_FOUND, words)


def test_a_verdict_names_score_interval_and_bounds() -> None:
    assert judged(BROKEN).message == "sums/acc 0.6 in [0.5804, 0.6196], bounds [0.7, inf]"


def test_a_score_that_is_no_proportion_and_has_no_error_is_exact() -> None:
    assert judged({"max": "12"}, scores=[score("12", stderr=None)]).status == "True"


@pytest.mark.parametrize("stderr", ["0", "0.0", None])
def test_samples_that_all_agree_do_not_make_a_proportion_exact(stderr: str | None) -> None:
    perfect = score("1", stderr=stderr)
    assert judged({"min": "0.97"}, scores=[perfect]).status == "Unknown"
    assert judged({"min": "0.96"}, scores=[perfect]).status == "True"
    assert judged({"min": "0.96"}, scores=[perfect], confidence="0.999").status == "Unknown"


def test_the_record_s_own_interval_counts_at_the_gate_s_confidence() -> None:
    own = score("0.5", stderr="0.001", ci_low="0.404", ci_high="0.596")  # of 100 samples
    found = {c: judged({"min": "0.41"}, scores=[own], confidence=c).status for c in ("0.9", "0.95")}
    assert found == {"0.9": "True", "0.95": "Unknown"}
    skewed = score("12", ci_low="11", ci_high="14")
    assert judged({"max": "14"}, scores=[skewed]).status == "True"
    assert judged({"max": "14"}, scores=[skewed], confidence="0.99").status == "Unknown"


def test_more_confidence_is_a_wider_interval() -> None:
    assert judged({"min": "0.58"}, confidence="0.95").status == "True"
    assert judged({"min": "0.58"}, confidence="0.999").status == "Unknown"


decimals = st.decimals(-100, 100, places=4).map(str)


@given(decimals, decimals.map(lambda text: text.lstrip("-")))
def test_an_interval_contains_its_value(value: str, stderr: str) -> None:
    found = interval(record(value, stderr), 0.95)
    assert found.low <= found.value <= found.high
