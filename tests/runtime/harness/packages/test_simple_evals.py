"""simple-evals' multiple choice, on data in the real format from a hub."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.harness.packages.hub import dataset, hub
from tests.runtime.harness.packages.scripted import evaluate, measured, model, python_of, shared
from tests.runtime.harness.processes import adapter

SPEC: dict[str, Any] = {
    "harness": "simple-evals",
    "tasks": ["mmlu_pro", "gpqa_diamond"],
    "model": "m",
    "endpointType": "chat",
    "params": {"parallelism": 2, "limitSamples": 4, "maxRetries": 0, "temperature": "0.1"},
}


def mmlu_pro(number: int) -> dict[str, Any]:
    """One question of MMLU-Pro, as its columns are."""
    choices = [str(number + 1 + wrong) for wrong in range(10)]
    answer = {"answer": "A", "answer_index": 0, "cot_content": "", "category": "math", "src": "x"}
    return {"question_id": number, "question": f"{number}+1?", "options": choices, **answer}


def gpqa(number: int) -> dict[str, Any]:
    """One question of GPQA, in those of its columns that are read."""
    wrong = {f"Incorrect Answer {i}": f"wrong{i}" for i in (1, 2, 3)}
    return {"Question": f"{number}?", "Correct Answer": f"right{number}", **wrong}


@pytest.fixture(scope="module")
def python() -> Path:
    return python_of("harness-simple-evals")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    repositories = {
        "TIGER-Lab/MMLU-Pro": dataset({"test": list(map(mmlu_pro, range(6)))}),
        "Idavidrein/gpqa": dataset({"train": list(map(gpqa, range(6)))}, "gpqa_diamond"),
    }
    with hub(repositories) as url:
        yield url


def answer(prompt: str, _: dict[str, Any]) -> str:
    """Know all of GPQA; of MMLU-Pro get 2+1 wrong, and say nothing to 3+1."""
    if "right" in prompt:
        [line] = [line for line in prompt.splitlines() if ") right" in line]
        return f"Answer: {line[0]}"
    return "Answer: B" if "2+1" in prompt else "no idea" if "3+1" in prompt else "Answer: A"


def test_the_scores_are_those_of_simple_evals(python: Path, endpoint: str, tmp_path: Path) -> None:
    with model(answer) as upstream, adapter(upstream.url, tmp_path) as sidecar:
        hub_of = {"HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": "0"}
        ended = evaluate(python, sidecar, SPEC, **hub_of)
        seen = upstream.seen
        again = shared(python, upstream, tmp_path / "shared", SPEC, **hub_of)
    found = {record.task: record for record in ended.result.results}
    assert list(found) == ["mmlu_pro", "gpqa_diamond"]
    for task, record in found.items():
        report = json.loads((tmp_path / f"simple-evals/{task}/{task}.json").read_text())
        assert float(record.value) == report["score"]
        assert float(record.stderr or 0) == pytest.approx(report["score:stderr"])
        assert record.n == 4
    assert float(found["mmlu_pro"].value) == 0.5
    assert found["mmlu_pro"].extraction_failures == 1
    assert float(found["gpqa_diamond"].value) == 1.0
    assert {body["temperature"] for body in seen} == {0.1}
    # A seed for each sample, the same in every run.
    assert len({body["seed"] for body in seen}) == 4
    assert [item.sample for item in measured(ended)] == ["0", "1", "2", "3"] * 2
    assert again.result.results == ended.result.results


def test_a_request_without_an_answer_is_no_score(
    python: Path, endpoint: str, tmp_path: Path
) -> None:
    def refusing(prompt: str, body: dict[str, Any]) -> str | None:
        return None if "3+1" in prompt else answer(prompt, body)

    with model(refusing) as upstream, adapter(upstream.url, tmp_path) as sidecar:
        spec = SPEC | {"tasks": ["mmlu_pro"]}
        ended = evaluate(python, sidecar, spec, HF_ENDPOINT=endpoint, HF_HUB_OFFLINE="0")
    assert ended.failure.reason == "HarnessFailed"
    assert "the target rejected a request" in ended.failure.message


@pytest.mark.parametrize(
    ("task", "words"),
    [("simpleqa", "judge"), ("humaneval", "no sandbox"), ("mmlu_llama_4", "did you mean mmlu")],
    ids=["judge", "executes", "nemo"],
)
def test_what_this_version_cannot_do_is_refused(
    python: Path, tmp_path: Path, task: str, words: str
) -> None:
    with model(answer) as upstream, adapter(upstream.url, tmp_path) as sidecar:
        ended = evaluate(python, sidecar, SPEC | {"tasks": [task]})
    assert ended.exit_code == 64
    assert words in ended.failure.message
    assert upstream.seen == []
