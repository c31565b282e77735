from pathlib import Path
from typing import Any

import pytest

from proctor_harness.harnesses.lm_eval_report import newest_report, records
from proctor_harness.harnesses.protocol import NoReportError


def report(scores: dict[str, Any], effective: int = 3) -> dict[str, Any]:
    return {
        "results": {"t": {"alias": "t", **scores}},
        "group_subtasks": {},
        "n-samples": {"t": {"original": 9, "effective": effective}},
        "higher_is_better": {"t": {"acc": True, "ppl": False, "odd": None}},
    }


@pytest.mark.parametrize(
    ("key", "direction"),
    [("acc,none", "higher"), ("ppl,none", "lower"), ("odd,none", None), ("other,none", None)],
)
def test_direction(key: str, direction: str | None) -> None:
    assert records(report({key: 0.5}))[0].direction == direction


@pytest.mark.parametrize("value", ["N/A", " ", float("nan"), float("inf"), True, None, [1]])
def test_what_is_no_number_is_no_score(value: object) -> None:
    assert records(report({"acc,none": value})) == []


def test_a_score_of_no_samples_is_no_score() -> None:
    assert records(report({"acc,none": 0.0}, effective=0)) == []


@pytest.mark.parametrize("value", [1 / 3, 1e-7, 123456.78901234567, 0.0, 1, -2.5e300])
def test_values_keep_their_precision(value: float) -> None:
    assert float(records(report({"acc,none": value}))[0].value) == value


def test_a_missing_stderr_is_absent() -> None:
    scores = {"acc,f": 0.5, "acc_stderr,f": "N/A", "ppl,f": 2.0, "ppl_stderr,f": 0.25}
    assert [record.stderr for record in records(report(scores))] == [None, "0.25"]


def test_the_newest_report_counts(tmp_path: Path) -> None:
    import os

    for name, age in (("results_b.json", 2), ("results_a.json", 1)):
        path = tmp_path / "model" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'{{"name": "{name}"}}')
        os.utime(path, (1000 - age, 1000 - age))
    assert newest_report(tmp_path) == {"name": "results_a.json"}


def test_no_report(tmp_path: Path) -> None:
    with pytest.raises(NoReportError, match="wrote no results"):
        newest_report(tmp_path)
