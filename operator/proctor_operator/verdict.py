"""Whether the scores pass the gate.

A bound counts as kept or broken only where the whole confidence interval lies on one side of it;
the interval is the record's own, at the gate's confidence. A record without one has
`value ± z × stderr`, and one that knows no error, Wilson's for its samples if its value could be a
proportion: samples that all agree do not make a score exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from proctor_crds.evaluation_run import Gate, GateRule
from proctor_crds.intervals import at_confidence, quantile, wilson
from proctor_crds.reasons import ConditionType, Reason
from proctor_crds.results import ResultRecord
from proctor_operator.status import FALSE, TRUE, UNKNOWN, Condition, Truth

NO_FILTER = "none"
"""What lm-eval calls answers taken as they are; so does a record that names no filter."""
FORCED: dict[str, Truth] = {"Pass": TRUE, "Fail": FALSE, "Unknown": UNKNOWN}


WORST_FIRST = (
    Reason.OUT_OF_BOUNDS,
    Reason.METRIC_NOT_FOUND,
    Reason.METRIC_AMBIGUOUS,
    Reason.INCONCLUSIVE,
)


@dataclass(frozen=True, slots=True)
class Score:
    """A record, and the evaluation that it is from."""

    evaluation: str
    record: ResultRecord

    def __str__(self) -> str:
        """`task/metric`, or `task/metric,filter` as lm-eval writes it."""
        name = f"{self.record.task}/{self.record.metric}"
        return name if self.record.filter == NO_FILTER else f"{name},{self.record.filter}"


@dataclass(frozen=True, slots=True)
class Interval:
    """A score and where its true value lies with the gate's confidence."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4g} in [{self.low:.4g}, {self.high:.4g}]"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule amounts to."""

    reason: Reason
    message: str


def judge(gate: Gate, scores: Sequence[Score], truncated: Sequence[str] = ()) -> Condition:
    """GatePassed: False where any rule is broken, else Unknown where any is open, else True.

    `truncated` names the evaluations that have more scores than these.
    """
    findings = [finding(rule, scores, gate, truncated) for rule in gate.rule_list]
    for reason in WORST_FIRST:
        words = [found.message for found in findings if found.reason == reason]
        if words:
            return Condition(
                ConditionType.GATE_PASSED, truth(reason, gate), reason, "; ".join(words)
            )
    words = [found.message for found in findings]
    return Condition(ConditionType.GATE_PASSED, TRUE, Reason.WITHIN_BOUNDS, "; ".join(words))


def truth(reason: Reason, gate: Gate) -> Truth:
    """The condition's status for what went wrong; only what samples leave open may be passed."""
    if reason == Reason.OUT_OF_BOUNDS:
        return FALSE
    forced = FORCED[gate.on_inconclusive]
    return UNKNOWN if reason != Reason.INCONCLUSIVE and forced == TRUE else forced


def finding(
    rule: GateRule, scores: Sequence[Score], gate: Gate, truncated: Sequence[str]
) -> Finding:
    """One rule held against the scores."""
    meant = [score for score in scores if is_meant(rule, score)]
    if not meant:
        return not_found(rule, scores, truncated)
    if len(meant) > 1:
        return ambiguous(meant)
    (score,) = meant
    found = interval(score.record, float(gate.confidence))
    low = float(rule.min) if rule.min else float("-inf")
    high = float(rule.max) if rule.max else float("inf")
    words = f"{score} {found}, bounds [{low:.4g}, {high:.4g}]"
    return Finding(side(found, low, high), words)


def is_meant(rule: GateRule, score: Score) -> bool:
    """Whether the rule speaks of this score."""
    record = score.record
    return (
        (record.task, record.metric) == (rule.task, rule.metric)
        and rule.filter in (None, record.filter)
        and rule.evaluation in (None, score.evaluation)
    )


def not_found(rule: GateRule, scores: Sequence[Score], truncated: Sequence[str]) -> Finding:
    """The rule speaks of nothing that was measured, as far as it is known."""
    wanted = f"{rule.task}/{rule.metric}" + (f",{rule.filter}" if rule.filter else "")
    by = f" by {rule.evaluation}" if rule.evaluation else ""
    known = ", ".join(sorted({str(score) for score in scores})) or "none"
    more = " and ".join(name for name in truncated if rule.evaluation in (None, name))
    words = f"{wanted} was not measured{by}"
    if more:
        words = f"{wanted} may be among the scores of {more} that did not fit into the status"
    return Finding(Reason.METRIC_NOT_FOUND, f"{words}; measured: {known}")


def ambiguous(meant: Sequence[Score]) -> Finding:
    """The rule speaks of several scores: none of them is taken for the one that was meant."""
    first = meant[0].record
    choices = {
        "filter": sorted({score.record.filter for score in meant}),
        "evaluation": sorted({score.evaluation for score in meant}),
    }
    remedies = [f"set {f} to {' or '.join(names)}" for f, names in choices.items() if names[1:]]
    words = f"{first.task}/{first.metric} was measured {len(meant)} times"
    what = " and ".join(remedies) or "name another metric: nothing tells these apart"
    return Finding(Reason.METRIC_AMBIGUOUS, f"{words}; in the rule, {what}")


def interval(record: ResultRecord, confidence: float) -> Interval:
    """The record's confidence interval."""
    value, stderr = float(record.value), float(record.stderr or 0)
    if record.ci_low is not None and record.ci_high is not None:
        own = float(record.ci_low), float(record.ci_high)
        return Interval(value, *at_confidence(value, own, confidence))
    if not stderr and record.n and 0 <= value <= 1:
        return Interval(value, *wilson(value * record.n, record.n, confidence))
    margin = quantile(confidence) * stderr
    return Interval(value, value - margin, value + margin)


def side(found: Interval, low: float, high: float) -> Reason:
    """Where an interval lies against its bounds."""
    if low <= found.low and found.high <= high:
        return Reason.WITHIN_BOUNDS
    if found.high < low or high < found.low:
        return Reason.OUT_OF_BOUNDS
    return Reason.INCONCLUSIVE
