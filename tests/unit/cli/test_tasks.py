"""`proctor tasks`, and tasks that no harness has."""

from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from proctor_cli import tasks
from proctor_cli.app import app
from proctor_cli.documents import DocumentsInvalidError, load
from proctor_crds import catalogue

RUN = """
apiVersion: proctor.dev/v1alpha1
kind: EvaluationRun
metadata: {name: r}
spec:
  target: {endpoint: {url: "http://m", model: m}}
  evaluations:
    - {name: a, harness: lm-eval, tasks: [my_own_yaml]}
    - {name: b, harness: bfcl, tasks: [simple, simpel], endpointType: chat}
"""


def test_a_row_tells_all_that_is_known() -> None:
    console = Console(width=200, record=True, file=Path("/dev/null").open("w"))  # noqa: SIM115
    console.print(tasks.table([t for t in catalogue.tasks("bfcl") if t.name == "all"]))
    console.file.close()
    line = console.export_text().splitlines()[1]
    for words in ("chat", "sandbox", "4751", "accuracy ↑ proportion 0..1", "NeMo: bfclv3"):
        assert words in line


def test_a_misspelt_task_is_refused_where_all_tasks_are_known(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(RUN)
    with pytest.raises(DocumentsInvalidError) as error:
        load([path])
    [line] = str(error.value).splitlines()
    assert "spec.evaluations.1.tasks.1: bfcl has no task 'simpel': did you mean simple" in line


def test_a_harness_and_words_narrow_the_list() -> None:
    ended = CliRunner().invoke(app, ["tasks", "--harness", "bfcl", "--search", "Java function"])
    assert ended.exit_code == 0
    assert "java" in ended.stdout
    assert "multi_turn" not in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--search", "simpel"], 1, "did you mean simple"),
        (["--harness", "bfl"], 2, "did you mean bfcl?"),
    ],
    ids=["task", "harness"],
)
def test_what_does_not_exist_has_near_matches(arguments: list[str], code: int, words: str) -> None:
    ended = CliRunner().invoke(app, ["tasks", *arguments])
    assert ended.exit_code == code
    assert words in ended.stderr
