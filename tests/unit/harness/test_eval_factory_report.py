"""The scores of an Eval-Factory image's report."""

from pathlib import Path

import pytest

from proctor_harness.harnesses.eval_factory_report import records

REPORT = """
results:
  tasks:
    easy:
      metrics:
        accuracy:
          scores:
            micro: {value: 0.7, stats: {stderr: %s, count: 1}}
            macro: {value: %s, stats: {}}
"""


@pytest.mark.parametrize("nothing", [".nan", ".inf", "null"])
def test_what_is_not_a_number_costs_no_other_score(tmp_path: Path, nothing: str) -> None:
    """numpy's deviation of a single sample is not a number."""
    path = tmp_path / "results.yml"
    path.write_text(REPORT % (nothing, nothing))
    [found] = records(path)
    assert (found.task, found.metric, found.filter) == ("easy", "accuracy", "micro")
    assert (found.value, found.stderr, found.n) == ("0.7", None, 1)


def test_a_score_of_no_samples_is_none(tmp_path: Path) -> None:
    path = tmp_path / "results.yml"
    path.write_text((REPORT % ("0.1", "0.5")).replace("count: 1", "count: 0"))
    assert [record.filter for record in records(path)] == ["macro"]
