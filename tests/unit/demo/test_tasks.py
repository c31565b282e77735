import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from demo import ARITHMETIC
from demo.data import Problem, is_held_out
from demo.tasks import DOCUMENTS, LINES, save_tasks, task_documents

TASKS = ("arithmetic_mc", "arithmetic_gen", "arithmetic_ppl")


def parse(text: str) -> Problem:
    left, sign, right = text.split("=", maxsplit=1)[0].partition("+" if "+" in text else "-")
    return Problem(int(left), "+" if sign == "+" else "-", int(right))


def questions(task: str) -> list[str]:
    documents = task_documents()[task]
    if task == "arithmetic_ppl":
        return [line for document in documents for line in document["text"].split("\n")]
    return [document["question"] for document in documents]


@pytest.mark.parametrize("task", TASKS)
def test_every_question_is_held_out(task: str) -> None:
    assert all(is_held_out(parse(question)) for question in questions(task))


def test_no_question_is_asked_twice() -> None:
    asked = [parse(question) for task in TASKS for question in questions(task)]
    assert len(asked) == len(set(asked)) == DOCUMENTS * (2 + LINES)


def test_the_right_choice_is_right() -> None:
    for document in task_documents()["arithmetic_mc"]:
        right = document["choices"][document["answer"]]
        assert right == str(parse(document["question"]).value)
        assert len(set(document["choices"])) == 4


def test_the_right_choice_has_no_favourite_place() -> None:
    places = [document["answer"] for document in task_documents()["arithmetic_mc"]]
    assert all(30 <= places.count(place) <= 70 for place in range(4))


def test_the_answers_to_generate_are_right() -> None:
    for document in task_documents()["arithmetic_gen"]:
        assert document["answer"] == str(parse(document["question"]).value)


def test_the_texts_are_true() -> None:
    for document in task_documents()["arithmetic_ppl"]:
        assert all(parse(line).text == line for line in document["text"].split("\n"))


@pytest.mark.parametrize("task", TASKS)
def test_a_definition_reads_the_data_beside_it(task: str, tmp_path: Path) -> None:
    save_tasks(tmp_path)
    definition: dict[str, Any] = yaml.safe_load((tmp_path / f"{task}.yaml").read_text())
    data = tmp_path / definition["dataset_kwargs"]["data_files"]["test"]
    documents = [json.loads(line) for line in data.read_text().splitlines()]
    assert definition["task"] == task
    assert documents == task_documents()[task]


def test_the_shipped_tasks_are_the_ones_that_the_code_makes(tmp_path: Path) -> None:
    save_tasks(tmp_path)
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    shipped = {path.name: path.read_text() for path in (ARITHMETIC / "tasks").iterdir()}
    assert made == shipped
