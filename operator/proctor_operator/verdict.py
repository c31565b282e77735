"""Whether the scores pass the gate.

A bound counts as kept or broken only where the whole confidence interval lies on one side of it;
an interval is `value ± z × stderr` (normal approximation; a record without stderr is exact).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from proctor_crds.evaluation_run import Gate, GateRule
from proctor_crds.reasons import ConditionType, Reason
from proctor_crds.results import ResultRecord
from proctor_operator.status import FALSE, TRUE, UNKNOWN, Condition, Truth

FORCED: dict[str, Truth] = {"Pass": TRUE, "Fail": FALSE, "Unknown": UNKNOWN}


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


def judge(gate: Gate, records: Sequence[ResultRecord]) -> Condition:
    """GatePassed: False where any rule is broken, else Unknown where any is open, else True."""
    findings = [finding(rule, records, float(gate.confidence)) for rule in gate.rule_list]
    for reason in (Reason.OUT_OF_BOUNDS, Reason.METRIC_NOT_FOUND, Reason.INCONCLUSIVE):
        words = [found.message for found in findings if found.reason == reason]
        if words:
            return Condition(
                ConditionType.GATE_PASSED, truth(reason, gate), reason, "; ".join(words)
            )
    words = [found.message for found in findings]
    return Condition(ConditionType.GATE_PASSED, TRUE, Reason.WITHIN_BOUNDS, "; ".join(words))


def truth(reason: Reason, gate: Gate) -> Truth:
    """The condition's status for what went wrong; a metric that is missing never passes."""
    if reason == Reason.OUT_OF_BOUNDS:
        return FALSE
    forced = FORCED[gate.on_inconclusive]
    return UNKNOWN if reason == Reason.METRIC_NOT_FOUND and forced == TRUE else forced


def finding(rule: GateRule, records: Sequence[ResultRecord], confidence: float) -> Finding:
    """One rule held against the scores."""
    record = next((r for r in records if (r.task, r.metric) == (rule.task, rule.metric)), None)
    if record is None:
        known = ", ".join(sorted({f"{r.task}/{r.metric}" for r in records})) or "none"
        words = f"{rule.task}/{rule.metric} was not measured; measured: {known}"
        return Finding(Reason.METRIC_NOT_FOUND, words)
    found = interval(record, confidence)
    low = float(rule.min) if rule.min else float("-inf")
    high = float(rule.max) if rule.max else float("inf")
    words = f"{rule.task}/{rule.metric} {found}, bounds [{low:.4g}, {high:.4g}]"
    return Finding(side(found, low, high), words)


def interval(record: ResultRecord, confidence: float) -> Interval:
    """The record's confidence interval."""
    value, stderr = float(record.value), float(record.stderr or 0)
    margin = NormalDist().inv_cdf((1 + confidence) / 2) * stderr
    return Interval(value, value - margin, value + margin)


def side(found: Interval, low: float, high: float) -> Reason:
    """Where an interval lies against its bounds."""
    if low <= found.low and found.high <= high:
        return Reason.WITHIN_BOUNDS
    if found.high < low or high < found.low:
        return Reason.OUT_OF_BOUNDS
    return Reason.INCONCLUSIVE
