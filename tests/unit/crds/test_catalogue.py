"""The catalogue of tasks."""

from typing import get_args

import pytest

from proctor_crds import catalogue
from proctor_crds.evaluation_run import Harness


def test_a_task_is_found_by_its_own_name() -> None:
    task = catalogue.find("bfcl", "simple")
    assert task is not None
    assert task.samples == 400
    assert task.endpoint_types == ("chat",)
    assert task.metrics == ("accuracy",)


def test_what_nemo_calls_it_leads_to_it() -> None:
    assert catalogue.find("bfcl", "bfclv2_ast") is None
    assert catalogue.near("bfcl", "bfclv2_ast")[0] == "ast"


def test_a_misspelt_task_has_near_matches() -> None:
    assert "simple" in catalogue.near("bfcl", "simpel")
    assert catalogue.suggestion("bfcl", "qqqq").startswith("there is no such task")


def test_search_wants_every_word() -> None:
    found = {task.name for task in catalogue.search("java function")}
    assert "java" in found
    assert "simple" not in found
    assert catalogue.search("java", "lm-eval") == []


@pytest.mark.parametrize("harness", sorted({*get_args(Harness)} - {"container"}))
def test_every_harness_has_tasks(harness: str) -> None:
    assert catalogue.tasks(harness)


def test_names_are_unique() -> None:
    names = [(task.harness, task.name) for task in catalogue.tasks()]
    assert len(names) == len(set(names))


def test_tasks_speak_of_what_exists() -> None:
    for task in catalogue.tasks():
        assert set(task.endpoint_types) <= {"completions", "chat"}
        assert task.endpoint_types
        assert set(task.needs) <= catalogue.NEEDS.keys()
        assert all((task.harness, name) in catalogue.metrics() for name in task.metrics)


def test_metrics_have_a_unit_and_a_range_that_is_one() -> None:
    for metric in catalogue.metrics().values():
        assert metric.unit in get_args(catalogue.Unit)
        assert metric.direction in {"higher", "lower"}
        assert metric.low is None or metric.high is None or float(metric.low) < float(metric.high)
