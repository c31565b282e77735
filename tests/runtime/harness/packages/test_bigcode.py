"""bigcode's tasks that compare texts, on data in the real format; the rest is refused."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.harness.packages.hub import dataset, hub
from tests.runtime.harness.packages.scripted import evaluate, model, python_of
from tests.runtime.harness.processes import adapter

TASK = "starcoder_fim"
SPEC: dict[str, Any] = {
    "harness": "bigcode",
    "tasks": [TASK],
    "model": "m",
    "params": {"parallelism": 2, "limitSamples": 5, "maxNewTokens": 16, "temperature": "0.1"},
}
LANGUAGES = ("py", "py", "js", "py", "js", "java")
"""The last lies beyond the limit, so of Java there is no sample."""


def row(number: int, language: str) -> dict[str, Any]:
    """One function with a line missing, as the dataset's columns are."""
    body = {"prompt": f"def f{number}(a):\n    ", "suffix": "\n", "language": language}
    names = {"name": f"f{number}", "doctests": "transform", "original": "", "tests": ""}
    return {**names, **body, "canonical_solution": f"return a + {number}"}


@pytest.fixture(scope="module")
def python() -> Path:
    return python_of("harness-bigcode")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    rows = [row(number, language) for number, language in enumerate(LANGUAGES)]
    with hub({"bigcode/santacoder-fim-task": dataset({"train": rows})}) as url:
        yield url


def test_the_scores_are_bigcodes_own(python: Path, endpoint: str, tmp_path: Path) -> None:
    def answer(prompt: str, _: dict[str, Any]) -> str:
        number = int(prompt.partition("def f")[2].partition("(")[0])
        return "return None" if number == 1 else f"return a + {number}<|endoftext|>and more"

    with model(answer) as upstream, adapter(upstream.url, tmp_path) as sidecar:
        ended = evaluate(python, sidecar, SPEC, HF_ENDPOINT=endpoint, HF_HUB_OFFLINE="0")
        progress = sidecar.progress()
    report = json.loads((tmp_path / f"bigcode/{TASK}/metrics.json").read_text())[TASK]
    found = {record.filter: (float(record.value), record.n) for record in ended.result.results}
    assert found == {"py": (report["py Exact Match"], 3), "js": (report["js Exact Match"], 2)}
    assert found == {"py": (pytest.approx(2 / 3), 3), "js": (1.0, 2)}
    # What bigcode says of the language that it never saw:
    assert report["java Exact Match"] == 0
    assert progress["done"] == progress["total"] == 5
    assert {body["max_tokens"] for body in upstream.seen} == {16}
    assert {body["temperature"] for body in upstream.seen} == {0.1}


def test_data_that_cannot_be_had_is_a_failure(python: Path, tmp_path: Path) -> None:
    with (
        hub({}) as empty,
        model(lambda *_: "") as upstream,
        adapter(upstream.url, tmp_path) as sidecar,
    ):
        ended = evaluate(python, sidecar, SPEC, HF_ENDPOINT=empty, HF_HUB_OFFLINE="0")
    assert ended.failure.reason == "Unscored"
    assert TASK in ended.failure.message
    assert upstream.seen == []


def test_what_would_execute_is_refused(python: Path, tmp_path: Path) -> None:
    with model(lambda *_: "") as upstream, adapter(upstream.url, tmp_path) as sidecar:
        ended = evaluate(python, sidecar, SPEC | {"tasks": ["humaneval"]})
    assert ended.exit_code == 64
    assert "no sandbox" in ended.failure.message
    assert upstream.seen == []
