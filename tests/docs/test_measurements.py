"""What is committed of the measurements has the form that is promised, and none is hidden."""

import csv
import json
from datetime import datetime
from typing import Any

import pytest

from bench.measurement import Measurement
from tests.docs.documents import ROOT

RESULTS = json.loads((ROOT / "bench/results.json").read_text())
FORM = {"name": str, "value": float, "unit": str, "goal": float, "met": bool}
FORM |= {"measured_at": str, "machine": str}


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: result["name"])
def test_a_result_has_the_promised_form(result: dict[str, Any]) -> None:
    assert {name: type(value) for name, value in result.items()} == FORM
    assert datetime.fromisoformat(result["measured_at"]).utcoffset() is not None


def test_a_measurement_is_recorded_in_that_form() -> None:
    record = Measurement("m", 0.12345, "s", 1.0, "lower").record()
    assert {name: type(value) for name, value in record.items()} == FORM
    assert (record["value"], record["met"]) == (0.1235, True)


@pytest.mark.parametrize(
    ("value", "better", "met"),
    [(1.0, "lower", True), (1.1, "lower", False), (1.0, "higher", True), (0.9, "higher", False)],
)
def test_a_goal_is_met_on_its_own_side(value: float, better: Any, met: bool) -> None:
    assert Measurement("m", value, "s", 1.0, better).met is met


def test_the_results_are_the_historys_last() -> None:
    with (ROOT / "bench/history.csv").open() as file:
        history = list(csv.DictReader(file))
    assert list(history[0]) == list(FORM)
    last = {row["name"]: row for row in history}
    for result in RESULTS:
        assert last[result["name"]] == {name: str(value) for name, value in result.items()}


def test_the_log_tells_of_each_result() -> None:
    log = (ROOT / "bench/LOG.md").read_text()
    for result in RESULTS:
        assert f"`{result['name']}`" in log
