"""lm-eval's samples, and the intervals that they give its scores."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import bootstrap

from proctor_crds.intervals import wilson
from proctor_crds.results import ResultRecord
from proctor_harness.harnesses.lm_eval_items import read, with_intervals
from proctor_harness.harnesses.means import BATCH, RESAMPLES, SEED, bootstrapped, interval

STAMP = "2026-11-23T23-24-50.378939"


def write(folder: Path, task: str, rows: list[dict[str, Any]], stamp: str = STAMP) -> None:
    lines = [
        {"doc_id": n, "filter": "none", "metrics": list(row), **row} for n, row in enumerate(rows)
    ]
    path = folder / "m" / f"samples_{task}_{stamp}.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(map(json.dumps, lines)) + "\n")


def score(task: str, metric: str, value: float) -> ResultRecord:
    return ResultRecord(task=task, metric=metric, value=repr(value), n=4)


def ends(record: ResultRecord) -> tuple[float, float]:
    assert record.ci_low is not None
    assert record.ci_high is not None
    return float(record.ci_low), float(record.ci_high)


def test_every_number_of_every_sample_is_an_item(tmp_path: Path) -> None:
    write(tmp_path, "a_b", [{"acc": 1.0, "ppl": [-3.0, 5], "em": True}, {"acc": 0.0, "em": False}])
    found = [(i.task, i.sample, i.metric, i.value) for i in read(tmp_path)]
    assert found == [
        ("a_b", "0", "acc", 1.0),
        ("a_b", "0", "em", 1.0),
        ("a_b", "1", "acc", 0.0),
        ("a_b", "1", "em", 0.0),
    ]


def test_of_two_reports_of_a_task_the_newer_counts(tmp_path: Path) -> None:
    write(tmp_path, "a", [{"acc": 1.0}])
    write(tmp_path, "a", [{"acc": 0.0}], stamp="2026-11-24T00-00-00.000000")
    assert [item.value for item in read(tmp_path)] == [0.0]


def test_rights_and_wrongs_have_wilson_s_interval(tmp_path: Path) -> None:
    write(tmp_path, "a", [{"acc": float(n < 3)} for n in range(4)])
    [found] = with_intervals([score("a", "acc", 0.75)], {}, read(tmp_path))
    assert ends(found) == pytest.approx(wilson(3, 4), abs=1e-6)


def test_a_group_has_the_samples_of_all_its_tasks(tmp_path: Path) -> None:
    write(tmp_path, "a", [{"acc": 1.0}] * 3)
    write(tmp_path, "b", [{"acc": 0.0}])
    report = {"group_subtasks": {"g": ["h", "b"], "h": ["a"], "a": []}}
    whole, unweighted = with_intervals(
        [score("g", "acc", 0.75), score("g", "acc", 0.5)], report, read(tmp_path)
    )
    assert ends(whole) == pytest.approx(wilson(3, 4), abs=1e-6)
    assert unweighted.ci_low is None


def test_a_statistic_that_is_no_mean_has_none(tmp_path: Path) -> None:
    write(tmp_path, "a", [{"ppl": 2.0}, {"ppl": 8.0}])
    [found] = with_intervals([score("a", "ppl", 4.0)], {}, read(tmp_path))
    assert found.ci_low is None


def test_other_numbers_are_resampled() -> None:
    values = [0.1 * (n % 11) for n in range(110)]
    low, high = interval(values) or (0.0, 0.0)
    assert 0.43 < low < 0.5 < high < 0.57
    assert (high - low) == pytest.approx(2 * 1.96 * 0.3162 / 110**0.5, rel=0.1)
    assert interval(values) == (low, high)


@pytest.mark.parametrize(
    "values",
    [[0.1 * (n % 11) for n in range(110)], [n**3 / 9 for n in range(40)], [0.0] * 20 + [0.5]],
    ids=["even", "skewed", "rare"],
)
def test_the_bootstrap_is_scipy_s(values: list[float]) -> None:
    expected = bootstrap(
        (np.asarray(values),),
        np.mean,
        n_resamples=RESAMPLES,
        batch=BATCH,
        rng=np.random.default_rng(SEED),
    ).confidence_interval
    assert bootstrapped(values) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize(
    "values", [[1e-120, 2e-120, 3e-120], [1e200, 2e200, 5e200], [1.0, 2.0, float("inf")]]
)
def test_of_values_out_of_range_there_is_no_interval(values: list[float]) -> None:
    with np.errstate(all="ignore"):
        assert interval(values) is None


def test_samples_that_agree_are_not_certain() -> None:
    assert interval([0.5] * 10) == wilson(5, 10)
    assert interval([7.0] * 10) is None
    assert interval([]) is None
