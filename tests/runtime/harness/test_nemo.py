"""Configurations of NeMo Evaluator mean the same here as there: both are asked, side by side."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from proctor_harness.adapter.chain import links
from proctor_harness.adapter.configuration import Discovery
from proctor_harness.adapter.load import load
from tests import nemo_evaluator
from tests.provider.skipping import skip_unless_available
from tests.runtime.harness.processes import adapter
from tests.runtime.harness.scripted_model import ScriptedModel, serving_script

ORACLE = Path(__file__).with_name("nemo_oracle.py")
CONFIGS = yaml.safe_load(Path(__file__).with_name("nemo_configs.yaml").read_text())
CASES = yaml.safe_load(Path(__file__).with_name("nemo_cases.yaml").read_text())


@pytest.fixture(scope="module")
def nemo() -> Path:
    with skip_unless_available():
        return nemo_evaluator.python()


@pytest.fixture(scope="module")
def model() -> Iterator[ScriptedModel]:
    with serving_script() as state:
        yield state


def oracle(nemo: Path, given: dict[str, Any]) -> Any:
    ended = subprocess.run(
        [str(nemo), str(ORACLE)],
        input=json.dumps(given),
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **nemo_evaluator.ENVIRON},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    return json.loads(ended.stdout)


@pytest.fixture(scope="module")
def chains(nemo: Path) -> dict[str, Any]:
    said = oracle(nemo, {"configs": [yaml.safe_dump(text) for text in CONFIGS.values()]})
    return dict(zip(CONFIGS, said, strict=True))


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_a_configuration_makes_the_same_chain(name: str, chains: dict[str, Any]) -> None:
    ours, theirs = load(CONFIGS[name]), chains[name]
    assert "refused" not in theirs
    assert [entry.model_dump() for entry in ours.interceptors] == theirs["interceptors"]
    assert [hook.model_dump() for hook in ours.post_eval_hooks] == theirs["post_eval_hooks"]
    assert ours.discovery.model_dump() == theirs["discovery"]
    assert ours.log_failed_requests == theirs["log_failed_requests"]
    # Each field is known to the interceptor that it is given to.
    ours = ours.model_copy(update={"discovery": Discovery()})  # its modules are not here
    assert {link.name for link in links(ours)} >= {
        entry["name"] for entry in theirs["interceptors"] if entry["enabled"]
    }


@pytest.fixture(scope="module")
def theirs(nemo: Path, model: ScriptedModel, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What NeMo's adapter answers to each case, and the figures that it leaves."""
    jobs = []
    for name, case in CASES.items():
        directory = tmp_path_factory.mktemp(f"nemo-{name}")
        jobs.append(
            {
                "url": f"{model.url}/v1/chat/completions",
                "directory": str(directory),
                "config": _inside(case["config"], directory),
                "headers": case.get("headers", {}),
                "requests": case["requests"],
            }
        )
    answers = oracle(nemo, {"jobs": jobs})
    return {
        name: (answer, _figures(Path(job["directory"])))
        for name, job, answer in zip(CASES, jobs, answers, strict=True)
    }


@pytest.mark.parametrize("name", sorted(CASES))
def test_the_same_questions_reach_the_target_and_the_same_answers_the_harness(
    name: str, theirs: Any, model: ScriptedModel, tmp_path: Path
) -> None:
    """The scripted model repeats what it was asked, so an answer shows both ways."""
    case = CASES[name]
    config = json.dumps(case["config"])
    with adapter(model.url, tmp_path, ADAPTER_CONFIG=config) as process:
        ours = [
            httpx.post(
                f"{process.url}/v1/chat/completions", json=body, headers=case.get("headers", {})
            )
            for body in case["requests"]
        ]
        process.stop()
    answers, figures = theirs[name]
    for mine, (status, their) in zip(ours, answers, strict=True):
        assert mine.status_code == status
        if status < 400:
            assert mine.json() == their
    for section, expected in figures.items():
        assert _comparable(_figures(tmp_path)[section]) == pytest.approx(
            _comparable(expected), abs=0.02
        )


def _inside(config: Any, directory: Path) -> Any:
    """NeMo writes where it is told, be it outside of the test."""
    text = json.dumps(config).replace('"/out', f'"{directory}')
    return json.loads(text)


def _figures(directory: Path) -> dict[str, Any]:
    path = directory / "eval_factory_metrics.json"
    return json.loads(path.read_text()) if path.exists() else {}


TIMES = {"description", "inference_time", "last_request_time", "inference_run_times"}


def _comparable(section: dict[str, Any]) -> dict[str, float]:
    """The numbers of a section that do not depend on the clock, by their path."""
    found: dict[str, float] = {}
    for key, value in section.items():
        if key in TIMES or "latency" in key:
            continue
        if isinstance(value, dict):
            found |= {f"{key}.{name}": number for name, number in _comparable(value).items()}
        elif isinstance(value, int | float):
            found[key] = value
    return found
