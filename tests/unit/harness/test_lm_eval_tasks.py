"""Which tasks lm-eval reads: its own are 14,000 files."""

import json
from pathlib import Path

import lm_eval.tasks
import pytest
from lm_eval.config.evaluate_config import EvaluatorConfig
from lm_eval.tasks import TaskManager

from proctor_harness.harnesses import lm_eval_tasks
from proctor_harness.harnesses.lm_eval_tasks import index, spare_the_index

OWN = "arithmetic_own"


@pytest.fixture
def given(tmp_path: Path) -> str:
    """A directory with one task, and a group of lm-eval's own."""
    task = {
        "task": OWN,
        "dataset_path": "json",
        "output_type": "generate_until",
        "test_split": "test",
        "doc_to_text": "{{q}}",
        "doc_to_target": "{{a}}",
    }
    (tmp_path / "own.yaml").write_text(json.dumps(task))
    group = {"group": "mine", "task": ["arc_easy", OWN]}
    (tmp_path / "mine.yaml").write_text(json.dumps(group))
    return str(tmp_path)


def test_a_task_of_ones_own_is_found_without_reading_the_others(given: str) -> None:
    assert index([OWN], given).all_tasks == [OWN, "mine"]


@pytest.mark.parametrize("names", [["mine"], ["arithmetic*"], [OWN, "arc_easy"], ["unheard"]])
def test_what_may_be_lm_evals_own_is_looked_for_there(
    names: list[str], given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[bool] = []

    def manager(include_path: str, *, include_defaults: bool = True) -> TaskManager:
        read.append(include_defaults)
        return TaskManager(include_path=include_path, include_defaults=False)

    monkeypatch.setattr(lm_eval_tasks, "TaskManager", manager)
    index(names, given)
    assert read == [False, True]


def test_lm_evals_command_reads_no_more_either(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # What `spare_the_index` puts in their place is undone after the test.
    for where, name in ((EvaluatorConfig, "process_tasks"), (lm_eval.tasks, "TaskManager")):
        monkeypatch.setattr(where, name, getattr(where, name))
    spare_the_index()
    found = EvaluatorConfig(tasks=[OWN], include_path=given).process_tasks().all_tasks
    assert OWN in found
    assert "arc_easy" not in found
