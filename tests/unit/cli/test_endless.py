"""What `proctor run` refuses because it would wait for it without end."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from proctor_cli.app import INVALID_INPUT, app
from proctor_cli.documents import Documents
from proctor_cli.endless import endless
from proctor_operator.cluster import Manifest
from tests.builders import EVALUATION, deployment_manifest, run_manifest

JUDGED = EVALUATION | {"harness": "safety-harness", "judgeRef": {"name": "judge"}}
ENDPOINT = {"endpoint": {"url": "http://m", "model": "m"}}


def said(*resources: Manifest) -> list[str]:
    """What is said of these resources."""
    return list(endless(Documents(list(resources))))


def test_what_is_all_there_is_waited_for() -> None:
    run = run_manifest(evaluations=[EVALUATION, JUDGED], suspend=False)
    assert said(run, deployment_manifest(), deployment_manifest("judge", replicas=2)) == []
    assert said(run_manifest(target=ENDPOINT)) == []


def test_deployments_alone_are_served_as_they_are() -> None:
    assert said(deployment_manifest(replicas=0)) == []


def test_a_target_that_is_in_no_file_is_named() -> None:
    [line] = said(run_manifest(), deployment_manifest("other"))
    assert line == (
        "EvaluationRun run: spec.target.deploymentRef.name: demo: no file has a ModelDeployment of"
        " this name in namespace team, and nobody else makes one here: add its file"
    )


def test_a_target_in_another_namespace_is_another() -> None:
    elsewhere = deployment_manifest()
    elsewhere["metadata"]["namespace"] = "else"
    assert len(said(run_manifest(), elsewhere)) == 1


def test_a_judge_that_is_in_no_file_is_named() -> None:
    run = run_manifest(target=ENDPOINT, evaluations=[EVALUATION, JUDGED])
    [line] = said(run)
    assert line.startswith("EvaluationRun run: spec.evaluations[1].judgeRef.name: judge: no file")


def test_a_run_that_is_held_is_named() -> None:
    assert said(run_manifest(target=ENDPOINT, suspend=True)) == [
        "EvaluationRun run: spec.suspend: true: nobody lifts it here: leave it out"
    ]


def test_a_target_without_pods_is_named() -> None:
    [line] = said(run_manifest(), deployment_manifest(replicas=0))
    assert line == (
        "ModelDeployment demo: spec.replicas: 0: EvaluationRun run needs it"
        " (spec.target.deploymentRef.name), and nobody scales it here: set 1 or more"
    )


@pytest.mark.parametrize("spec", [{}, {"target": ENDPOINT, "suspend": True}], ids=str)
def test_the_command_ends_at_once_and_the_file_is_valid(
    tmp_path: Path, spec: dict[str, Any]
) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(run_manifest(**spec)))
    assert CliRunner().invoke(app, ["validate", str(path)]).exit_code == 0
    ended = CliRunner().invoke(app, ["run", str(path), "--timeout", "5"])
    assert ended.exit_code == INVALID_INPUT
    assert ended.stderr.startswith("EvaluationRun run: spec.")
