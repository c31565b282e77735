"""bfcl's own questions, answered rightly, wrongly, not at all, and with an attack."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse

from tests.runtime.harness.packages.scripted import (
    Model,
    busy,
    evaluate,
    lines,
    measured,
    model,
    once,
    python_of,
    shared,
)
from tests.runtime.harness.processes import adapter

CATEGORIES = ("simple", "multiple", "irrelevance")
LIMIT = 4
SPEC: dict[str, Any] = {
    "harness": "bfcl",
    "tasks": list(CATEGORIES),
    "model": "m",
    "endpointType": "chat",
    "params": {"limitSamples": LIMIT, "parallelism": 2, "temperature": "0"},
}


@pytest.fixture(scope="module")
def python() -> Path:
    return python_of("harness-bfcl")


@pytest.fixture(scope="module")
def answers(python: Path) -> dict[str, str]:
    """The right call for each question of the package's data."""
    [data] = python.parents[1].glob("lib/python*/site-packages/bfcl/data")
    right = {}
    for category in ("simple", "multiple"):
        asked = lines(data / f"BFCL_v3_{category}.json")[:LIMIT]
        expected = lines(data / f"possible_answer/BFCL_v3_{category}.json")[:LIMIT]
        for question, answer in zip(asked, expected, strict=True):
            [(name, arguments)] = answer["ground_truth"][0].items()
            given = [f"{key}={values[0]!r}" for key, values in arguments.items() if values[0] != ""]
            right[question["question"][0][0]["content"]] = f"[{name}({', '.join(given)})]"
    return right


@pytest.fixture
def attacked(tmp_path: Path) -> Path:
    return tmp_path / "pwned"


@pytest.fixture
def upstream(answers: dict[str, str], attacked: Path) -> Iterator[Model]:
    attack = f"""[f(x=__import__("os").system("touch {attacked}") + 1)]"""
    asked = list(answers)

    def answer(prompt: str, _: dict[str, Any]) -> str | None:
        if prompt not in answers:
            return "no function fits"
        return {asked[0]: attack, asked[1]: None}.get(prompt, answers[prompt])

    with model(answer) as state:
        yield state


def test_the_scores_are_bfcls_own(
    python: Path, upstream: Model, attacked: Path, tmp_path: Path
) -> None:
    with adapter(upstream.url, tmp_path) as sidecar:
        ended = evaluate(python, sidecar, SPEC)
        progress = sidecar.progress()
    found = {record.task: record for record in ended.result.results}
    assert list(found) == list(CATEGORIES)
    for category, record in found.items():
        [path] = (tmp_path / "bfcl/score").glob(f"*/BFCL_v3_{category}_score.json")
        head = json.loads(path.read_text().splitlines()[0])
        assert (float(record.value), record.n) == (head["accuracy"], head["total_count"])
    # Of the simple ones, one is an attack and one has no answer.
    assert {name: float(record.value) for name, record in found.items()} == {
        "simple": 0.5,
        "multiple": 1.0,
        "irrelevance": 1.0,
    }
    assert (found["simple"].errors, found["simple"].extraction_failures) == (1, 1)
    assert found["multiple"].errors is None
    assert not attacked.exists()
    assert progress["total"] == LIMIT * len(CATEGORIES)
    assert progress["done"] == progress["total"] - 1
    assert [item.sample for item in measured(ended) if item.error] == ["simple_1"]
    again = shared(python, upstream, tmp_path / "shared", SPEC, again=1)
    assert again.result.results == ended.result.results
    assert not attacked.exists()


def test_a_failure_where_silence_is_right_is_no_score(python: Path, tmp_path: Path) -> None:
    with model(lambda *_: None) as upstream, adapter(upstream.url, tmp_path) as sidecar:
        ended = evaluate(python, sidecar, SPEC | {"tasks": ["irrelevance"]})
    assert ended.failure.reason == "Unscored"
    assert "4 requests failed" in ended.failure.message


def test_that_nobody_was_let_in_is_no_score(python: Path, tmp_path: Path) -> None:
    """bfcl takes each refusal for an answer, and counts it as one error of so many samples."""
    denied = JSONResponse({"error": {"message": "no such key"}}, 401)
    with model(lambda *_: denied) as upstream, adapter(upstream.url, tmp_path) as sidecar:
        ended = evaluate(python, sidecar, SPEC | {"tasks": ["simple"]})
    assert ended.failure.reason == "TargetRefused"
    assert "whatever they ask; last: " in ended.failure.message
    assert "no such key" in ended.failure.message


def test_a_busy_target_is_asked_again(
    python: Path, answers: dict[str, str], tmp_path: Path
) -> None:
    """By the adapter: bfcl would take the refusal for an answer."""
    asked = model(once(lambda prompt, _: answers[prompt], busy()))
    with asked as upstream, adapter(upstream.url, tmp_path, MAX_RETRIES="1") as sidecar:
        ended = evaluate(python, sidecar, SPEC | {"tasks": ["simple"]})
    [record] = ended.result.results
    assert (float(record.value), record.errors) == (1.0, None)
    assert len(upstream.seen) == LIMIT + 1


def test_calls_by_the_api_are_judged_too(
    python: Path, answers: dict[str, str], tmp_path: Path
) -> None:
    params = SPEC["params"] | {"extra": {"nativeCalling": "true"}}
    with model(lambda *_: "plain text") as upstream, adapter(upstream.url, tmp_path) as sidecar:
        ended = evaluate(python, sidecar, SPEC | {"tasks": ["simple"], "params": params})
    assert all(body["tools"] for body in upstream.seen)
    [record] = ended.result.results
    assert (float(record.value), record.extraction_failures) == (0.0, LIMIT)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tasks": ["simpel"]}, "did you mean simple"),
        ({"tasks": ["multi_turn_base"]}, "no sandbox"),
        ({"tasks": ["bfclv2_ast"]}, "did you mean ast"),
        ({"endpointType": "completions"}, "needs endpointType chat"),
        ({"model": "a,b"}, "without commas"),
        ({"params": {"maxNewTokens": 5}}, "params.maxNewTokens=5: remove it"),
    ],
    ids=["unknown", "executes", "nemo", "endpoint", "name", "parameter"],
)
def test_what_bfcl_cannot_do_is_refused(
    python: Path, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    with model(lambda *_: "") as upstream, adapter(upstream.url, tmp_path) as sidecar:
        ended = evaluate(python, sidecar, SPEC | change)
    assert ended.exit_code == 64
    assert words in ended.failure.message
    assert upstream.seen == []
