"""What a person sees of texts that rich would take for markup."""

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from proctor_cli import tasks, view
from proctor_cli.app import show_results
from proctor_crds import catalogue
from proctor_operator.cluster import Manifest


def shown(what: RenderableType) -> str:
    """`what` as a terminal without colours shows it."""
    screen = Console(file=StringIO(), width=200)
    screen.print(what)
    text: str = screen.file.getvalue()  # type: ignore[attr-defined]
    return text


def run(*conditions: Manifest) -> Manifest:
    result = {"task": "belebele[en]", "metric": "acc[strict]", "filter": "none", "value": "0.5"}
    return {
        "apiVersion": "proctor.dev/v1alpha1",
        "kind": "EvaluationRun",
        "metadata": {"name": "r", "namespace": "default"},
        "status": {
            "conditions": list(conditions),
            "score": "acc[strict] 0.5",
            "evaluations": [{"name": "a", "results": [result]}],
        },
    }


@pytest.mark.parametrize("message", ["the answer ends with [/INST]", "a [word] :smile: [bold]x"])
@pytest.mark.parametrize("kind", ["Accepted", "Succeeded"])
def test_a_message_is_shown_as_it_is(kind: str, message: str) -> None:
    condition = {"type": kind, "status": "False", "reason": "HarnessFailed", "message": message}
    line = shown(view.progress_table([run(condition)])).splitlines()[1]
    assert "HarnessFailed" in line
    assert "acc[strict] 0.5" in line
    assert message in line


def test_tasks_and_metrics_are_shown_as_they_are() -> None:
    text = shown(view.score_table(run()))
    assert "belebele[en]" in text
    assert "acc[strict]" in text


def test_the_catalogue_is_shown_as_it_is() -> None:
    task = replace(catalogue.tasks("bfcl")[0], name="belebele[en]", about="ends with [/INST]")
    line = shown(tasks.table([task])).splitlines()[1]
    assert "belebele[en]" in line
    assert "ends with [/INST]" in line


def test_a_path_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    show_results([run()], Path("/state[a]:smile:"))
    assert "logs and artifacts: /state[a]:smile:" in capsys.readouterr().err
