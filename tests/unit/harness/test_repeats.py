"""Several askings of the same samples, as one result."""

from itertools import combinations
from statistics import fmean, stdev

import pytest

from proctor_crds.results import ResultRecord
from proctor_crds.wire import RunResult, RunSpec, Unscored
from proctor_harness.harnesses.means import pass_at
from proctor_harness.items import Item
from proctor_harness.repeats import merged

RIGHTS = [[1, 1, 1, 1], [0, 0, 0, 0], [1, 0, 1, 0], [0, 0, 1, 0], [1, 1, 1, 0]]
"""Five samples, each asked four times."""


def result(repeat: int, **fields: object) -> RunResult:
    value = fmean(sample[repeat] for sample in RIGHTS)
    record = ResultRecord(task="t", metric="acc", value=repr(value), stderr="0.2", n=5)
    return RunResult(results=[record.model_copy(update=fields)])


def items(values: list[list[float]] | None = None) -> list[Item]:
    return [
        Item(task="t", sample=str(number), metric="acc", value=value, repeat=repeat)
        for number, sample in enumerate(values or RIGHTS)
        for repeat, value in enumerate(sample)
    ]


FOUR = [result(repeat) for repeat in range(4)]


def record(found: RunResult, metric: str = "acc") -> ResultRecord:
    [one] = [r for r in found.results if r.metric == metric]
    return one


def test_one_asking_is_as_it_is() -> None:
    assert merged([FOUR[0]], items()) is FOUR[0]


def test_the_mean_comes_with_its_spread() -> None:
    found = record(merged(FOUR, items()))
    values = [0.6, 0.4, 0.8, 0.2]
    assert float(found.value) == pytest.approx(fmean(values))
    assert float(found.stdev_of_repeats or 0) == pytest.approx(stdev(values))
    assert (found.repeats, found.n) == (4, 5)


def test_a_repeat_is_no_new_sample() -> None:
    found = record(merged(FOUR, items()))
    means = [fmean(sample) for sample in RIGHTS]
    assert float(found.stderr or 0) == pytest.approx(stdev(means) / 5**0.5)
    wide = float(found.ci_high or 0) - float(found.ci_low or 0)
    assert wide > 0.5  # that of twenty independent answers is 0.41
    same = [result(0)] * 4
    alike = record(merged(same, items([[s[0]] * 4 for s in RIGHTS])))
    assert float(alike.stdev_of_repeats or 1) == 0
    assert float(alike.stderr or 0) == pytest.approx(stdev([1, 0, 1, 0, 1]) / 5**0.5)


def test_without_samples_the_error_does_not_shrink() -> None:
    found = record(merged(FOUR, []))
    assert float(found.stderr or 0) == pytest.approx(0.2)
    assert (found.ci_low, found.ci_high) == (None, None)
    assert record(merged([result(0, stderr=None), FOUR[1]], [])).stderr is None


def test_samples_that_the_score_is_not_the_mean_of_are_not_its_samples() -> None:
    other = [result(repeat, value="7.5") for repeat in range(4)]
    assert float(record(merged(other, items())).stderr or 0) == pytest.approx(0.2)


def test_pass_at_k_is_the_share_of_draws_with_a_right_one() -> None:
    found = merged(FOUR, items())
    for k in (2, 4):
        drawn = [fmean(any(d) for d in combinations(sample, k)) for sample in RIGHTS]
        assert float(record(found, f"acc_pass@{k}").value) == pytest.approx(fmean(drawn))
    assert [r.metric for r in found.results] == ["acc", "acc_pass@2", "acc_pass@4"]


def test_pass_at_one_is_the_mean() -> None:
    assert pass_at(1, 8, 3) == pytest.approx(3 / 8)
    assert (pass_at(8, 8, 0), pass_at(8, 8, 1)) == (0.0, 1.0)


def test_what_is_not_right_or_wrong_has_no_pass_at_k() -> None:
    half = [[value / 2 for value in sample] for sample in RIGHTS]
    assert [r.metric for r in merged(FOUR, items(half)).results] == ["acc"]


def test_answers_to_one_prompt_are_a_cluster() -> None:
    """Two answers to each prompt in each of two repeats are four askings of the prompt."""
    answers = [
        Item(task="t", sample=f"{n}.{k % 2}", group=str(n), metric="acc", value=v, repeat=k // 2)
        for n, sample in enumerate(RIGHTS)
        for k, v in enumerate(sample)
    ]
    two = [
        result(0, value=repr(fmean(i.value for i in answers if i.repeat == r))) for r in range(2)
    ]
    asked, plain = merged(two, answers), merged(FOUR, items())
    assert record(asked).stderr == record(plain).stderr
    assert record(asked, "acc_pass@4").value == record(plain, "acc_pass@4").value


def test_rights_and_wrongs_in_percent_have_wilson_s_interval_too() -> None:
    hundredfold = items([[100 * value for value in sample] for sample in RIGHTS])
    percent = [result(r, value=repr(100 * float(FOUR[r].results[0].value))) for r in range(4)]
    found, plain = record(merged(percent, hundredfold)), record(merged(FOUR, items()))
    for name in ("stderr", "ci_low", "ci_high"):
        assert float(getattr(found, name)) == pytest.approx(100 * float(getattr(plain, name)))


def test_what_is_never_right_keeps_the_interval_of_one_asking() -> None:
    """Nothing tells zeros in percent from others."""
    never = {"value": "0", "stderr": "0.0", "ci_low": "0.0", "ci_high": "7.13"}
    zeros = items([[0.0, 0.0] for _ in RIGHTS])
    found = record(merged([result(repeat, **never) for repeat in range(2)], zeros))
    assert (found.ci_low, found.ci_high) == ("0.0", "7.13")


def test_a_pass_at_one_becomes_a_pass_at_more() -> None:
    named = [item.model_copy(update={"metric": "pass@1"}) for item in items()]
    found = merged([result(repeat, metric="pass@1") for repeat in range(4)], named)
    assert [r.metric for r in found.results] == ["pass@1", "pass@2", "pass@4"]


def test_a_metric_that_a_repeat_lacks_is_no_score() -> None:
    assert merged([FOUR[0], RunResult(results=[])], []).results == []


def test_errors_and_parts_add_up() -> None:
    part = Unscored(task="t.x", why="none")
    some = [result(0, errors=2), result(1), result(2, errors=1)]
    found = merged([r.model_copy(update={"unscored": [part]}) for r in some], [])
    assert (record(found).errors, found.unscored) == (3, [part])


def test_each_repeat_has_a_seed_of_its_own_and_the_same_examples() -> None:
    run = RunSpec(harness="lm-eval", tasks=["t"], model="m", repeats=3)
    assert [run.at(r).seed for r in range(3)] == [1234, 1235, 1236]
    assert {run.at(r).first_seed for r in range(3)} == {1234}
