"""The main job, for real: `proctor run` on the example, with Triton and stock lm-eval."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.reference import assert_scores_are_the_reference

EXAMPLES = Path("examples/arithmetic")
FILES = [str(EXAMPLES / f"{name}.yaml") for name in ("volume", "modeldeployment", "evaluationrun")]
VOLUME = "arithmetic=demo/arithmetic"


def proctor(*arguments: str, timeout: float = 900) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "proctor_cli.app", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


def test_two_files_become_the_reference_scores(tmp_path: Path) -> None:
    done = proctor("run", *FILES, "--volume", VOLUME, "--state", str(tmp_path), "--timeout", "850")
    assert done.returncode == 0, done.stderr
    assert "arithmetic_mc" in done.stdout
    status = done.stdout[done.stdout.index("apiVersion:") :]
    assert_scores_are_the_reference(yaml.safe_load(status))


@pytest.mark.parametrize("command", ["run", "validate"])
def test_a_file_that_the_apiserver_would_refuse_is_refused(tmp_path: Path, command: str) -> None:
    text = (EXAMPLES / "evaluationrun.yaml").read_text()
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(text.replace("harness: lm-eval", "harness: lm-evl"))
    done = proctor(command, str(wrong))
    assert done.returncode == 64
    assert "spec.evaluations.0.harness" in done.stderr
    assert "did you mean lm-eval" in done.stderr


def test_validate_takes_the_examples() -> None:
    done = proctor("validate", *FILES)
    assert done.returncode == 0, done.stderr
    assert "2 resources are valid" in done.stdout


def test_a_volume_that_is_no_directory_is_told(tmp_path: Path) -> None:
    done = proctor("run", *FILES, "--volume", "arithmetic=/nowhere")
    assert done.returncode == 2
    assert "CLAIM=DIRECTORY" in done.stderr
