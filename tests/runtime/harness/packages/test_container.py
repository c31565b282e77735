"""A real Eval-Factory framework, in an environment of its own beside the driver's."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from proctor_operator.children.companions import WORKER_START
from tests.runtime.harness.packages.hub import hub
from tests.runtime.harness.packages.scripted import Evaluated, evaluate, model, python_of
from tests.runtime.harness.packages.test_safety_harness import answer, endpoint, verdict
from tests.runtime.harness.processes import adapter

__all__ = ["endpoint"]
SPEC: dict[str, Any] = {
    "harness": "container",
    "tasks": ["wildguard"],
    "model": "m",
    "judgeModel": "judge",
    "endpointType": "chat",
    "params": {
        "parallelism": 2,
        "limitSamples": 6,
        "maxRetries": 1,
        "temperature": "0.1",
        "extra": {"judge.parallelism": "3"},
    },
}


@pytest.fixture(scope="module")
def python() -> Path:
    return python_of("harness-container")


@pytest.fixture(scope="module")
def image() -> Path:
    """An environment that has what the image has: a framework and NeMo Evaluator."""
    return python_of("harness-safety-harness")


@contextlib.contextmanager
def worker(image: Path, scratch: Path, **env: str) -> Iterator[None]:
    """The image's container, as the pod starts it."""
    environ = {
        "PATH": f"{image.parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(scratch),
        "MOUNT_SCRATCH": str(scratch),
        "NEMO_EVALUATOR_TELEMETRY_LEVEL": "0",
        **env,
    }
    with subprocess.Popen(["sh", "-c", WORKER_START], env=environ) as process:
        try:
            yield
        finally:
            process.terminate()
            assert process.wait(30) in {143, -15}


def run(python: Path, image: Path, folder: Path, spec: dict[str, Any], hub_url: str) -> Evaluated:
    artifacts, scratch = folder / "artifacts", folder / "scratch"
    for path in (artifacts, artifacts / "judge", scratch):
        path.mkdir()
    with (
        model(answer) as target,
        model(verdict) as judge,
        adapter(target.url, artifacts) as sidecar,
        adapter(judge.url, artifacts / "judge") as second,
        worker(image, scratch, HF_ENDPOINT=hub_url),
    ):
        environ = {"JUDGE_URL": f"{second.url}/v1", "MOUNT_SCRATCH": str(scratch)}
        return evaluate(python, sidecar, spec, **environ)


def test_the_scores_are_the_images_own(
    python: Path, image: Path, endpoint: str, tmp_path: Path
) -> None:
    ended = run(python, image, tmp_path, SPEC, endpoint)
    [record] = ended.result.results
    assert (record.task, record.metric, record.filter) == ("wildguard", "safety_rate", "none")
    folder = ended.artifacts / "container/wildguard"
    report = yaml.safe_load((folder / "results.yml").read_text())
    score = report["results"]["tasks"]["wildguard"]["metrics"]["safety_rate"]["scores"]
    assert float(record.value) == score["safety_rate"]["value"] == 0.5
    # The command that we rendered is the one that NeMo Evaluator rendered and ran.
    assert (folder / "command.sh").read_text() == report["command"]
    params = report["config"]["params"]
    assert (params["limit_samples"], params["temperature"]) == (6, 0.1)
    assert params["extra"]["judge"]["parallelism"] == 3


def test_each_repeat_has_a_report_of_its_own(
    python: Path, image: Path, endpoint: str, tmp_path: Path
) -> None:
    ended = run(python, image, tmp_path, SPEC | {"repeats": 2}, endpoint)
    [record] = ended.result.results
    assert (record.value, record.repeats) == ("0.5", 2)
    for repeat in range(2):
        assert (ended.artifacts / f"container/repeat-{repeat}/wildguard/results.yml").exists()


@pytest.mark.parametrize(
    ("change", "reason", "words"),
    [
        ({"tasks": ["wildgard"]}, "UnknownTask", "did you mean wildguard"),
        ({"endpointType": "completions"}, "ParameterInvalid", "the task needs chat"),
        (
            {"params": {"extra": {"judge.parallel": "3"}}},
            "ParameterInvalid",
            "did you mean judge.parallelism?",
        ),
    ],
    ids=["task", "endpoint", "extra"],
)
def test_what_the_image_cannot_do_is_refused(
    python: Path, image: Path, tmp_path: Path, change: dict[str, Any], reason: str, words: str
) -> None:
    with hub({}) as empty:
        ended = run(python, image, tmp_path, SPEC | change, empty)
    assert ended.exit_code == 64
    assert ended.failure.reason == reason
    assert words in ended.failure.message


def test_an_image_that_is_no_eval_factory_is_refused(python: Path, tmp_path: Path) -> None:
    with hub({}) as empty:
        ended = run(python, python, tmp_path, SPEC, empty)
    assert ended.exit_code == 64
    assert "no Eval-Factory image" in ended.failure.message


def test_a_framework_that_fails_is_quoted(python: Path, image: Path, tmp_path: Path) -> None:
    with hub({}) as empty:
        ended = run(python, image, tmp_path, SPEC, empty)
    assert ended.failure.reason == "HarnessFailed"
    assert "allenai/wildguardmix" in ended.failure.message
