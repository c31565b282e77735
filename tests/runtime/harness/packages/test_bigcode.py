"""bigcode on data in the real format: texts are compared, and code is executed in the sandbox."""

import contextlib
import json
import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from math import comb
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.harness.packages.hub import dataset, hub
from tests.runtime.harness.packages.scripted import (
    busy,
    evaluate,
    measured,
    model,
    once,
    python_of,
    shared,
)
from tests.runtime.harness.processes import adapter, free_port

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
    repositories = {
        "bigcode/santacoder-fim-task": dataset({"train": rows}),
        "openai/openai_humaneval": dataset({"test": list(map(problem, range(4)))}),
        "google-research-datasets/mbpp": dataset({"test": list(map(basic_problem, range(500)))}),
    }
    with hub(repositories) as url:
        yield url


def problem(number: int) -> dict[str, Any]:
    """One problem of HumanEval, as its columns are."""
    name = f"plus{number}"
    test = f"\ndef check(candidate):\n    assert candidate(1) == {number + 1}\n"
    prompt = f'def {name}(a):\n    """ Add {number}.\n    """\n'
    solution = {"canonical_solution": f"    return a + {number}\n", "entry_point": name}
    return {"task_id": f"HumanEval/{number}", "prompt": prompt, "test": test, **solution}


def basic_problem(number: int) -> dict[str, Any]:
    """One problem of MBPP, as its columns are."""
    tests = [f"assert plus{number}({n}) == {n + number}" for n in (1, 2, 3)]
    rest = {"test_setup_code": "", "challenge_test_list": [], "code": ""}
    return {"task_id": number, "text": f"Add {number}.", "test_list": tests, **rest}


@contextlib.contextmanager
def sandbox(python: Path) -> Iterator[str]:
    """The container beside the harness's: the same image, and nothing of the run."""
    port = str(free_port())
    environ = {"PORT_SANDBOX": port, "PATH": os.environ["PATH"]}
    argv = [python, "-m", "proctor_harness.sandbox"]
    with subprocess.Popen(argv, env=environ) as process:
        try:
            yield port
        finally:
            process.terminate()


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
    assert [item.value for item in measured(ended)] == [1, 0, 1, 1, 1]


def test_each_repeat_is_scored(python: Path, endpoint: str, tmp_path: Path) -> None:
    with (
        model(lambda *_: "return None") as upstream,
        adapter(upstream.url, tmp_path) as sidecar,
    ):
        hub_of = {"HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": "0"}
        ended = evaluate(python, sidecar, SPEC | {"repeats": 2}, **hub_of)
    assert [(r.metric, r.filter, r.n, r.repeats) for r in ended.result.results] == [
        (metric, language, n, 2)
        for language, n in (("py", 3), ("js", 2))
        for metric in ("exact_match", "exact_match_pass@2")
    ]
    assert len(upstream.seen) == 10


def test_a_busy_target_is_asked_again(python: Path, endpoint: str, tmp_path: Path) -> None:
    """By the adapter: bigcode would end with a traceback."""
    asked = model(once(lambda *_: "return None", busy()))
    with asked as upstream, adapter(upstream.url, tmp_path, MAX_RETRIES="1") as sidecar:
        ended = evaluate(python, sidecar, SPEC, HF_ENDPOINT=endpoint, HF_HUB_OFFLINE="0")
    assert sum(record.n or 0 for record in ended.result.results) == 5
    assert len(upstream.seen) == 6


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


def test_generated_code_is_judged_by_the_sandbox(
    python: Path, endpoint: str, tmp_path: Path
) -> None:
    asked: Counter[int] = Counter()
    attacked = tmp_path / "attacked"
    attack = f"\n    open({str(attacked)!r}, 'w')\n    return a + 2\n"

    def answer(prompt: str, _: dict[str, Any]) -> str:
        """Right; right three times of ten; an attack; the truth, and then no end."""
        number = int(prompt.partition("def plus")[2].partition("(")[0])
        asked[number] += 1
        right = f"\n    return a + {number}\n"
        wrong = "\n    return None\n"
        return [right, right if asked[1] <= 3 else wrong, attack, "\n    while True: pass\n"][
            number
        ]

    params = {"parallelism": 2, "temperature": "0.8", "extra": {"samples": "10"}}
    spec = SPEC | {"tasks": ["humaneval"], "params": params}
    with (
        model(answer) as upstream,
        adapter(upstream.url, tmp_path) as sidecar,
        sandbox(python) as port,
    ):
        hub_of = {"HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": "0"}
        ended = evaluate(python, sidecar, spec, PORT_SANDBOX=port, **hub_of)
        progress = sidecar.progress()
        asked.clear()
        again = shared(python, upstream, tmp_path / "shared", spec, PORT_SANDBOX=port, **hub_of)
    found = {record.metric: record for record in ended.result.results}
    report = json.loads((tmp_path / "bigcode/humaneval/metrics.json").read_text())["humaneval"]
    correct = [10, 3, 0, 0]
    for k in (1, 10):
        # The unbiased estimator (Chen et al. 2021): 1 - C(n-c, k) / C(n, k).
        expected = sum(1 - comb(10 - c, k) / comb(10, k) for c in correct) / 4
        assert float(found[f"pass@{k}"].value) == report[f"pass@{k}"] == pytest.approx(expected)
        assert found[f"pass@{k}"].n == 40
    assert set(found) == {"pass@1", "pass@10"}
    # Ten answers to a problem are not ten problems.
    assert float(found["pass@1"].stderr or 0) > 2 * report["pass@1_stderr"]
    verdicts = (tmp_path / "bigcode/humaneval/verdicts.jsonl").read_text()
    assert verdicts.count("timed out") == 10
    assert verdicts.count("PermissionError") == 10
    assert not attacked.exists()
    assert progress["done"] == progress["total"] == 40
    items = measured(ended)
    assert [(item.sample, item.group) for item in items][9:11] == [("0.9", "0"), ("1.0", "1")]
    assert again.result.results == ended.result.results


def test_mbpp_is_judged_too(python: Path, endpoint: str, tmp_path: Path) -> None:
    def answer(prompt: str, _: dict[str, Any]) -> str:
        number = int(prompt.partition("Add ")[2].partition(".")[0])
        return f"def plus{number}(a):\n    return a + {number or 1}\n"

    with (
        model(answer) as upstream,
        adapter(upstream.url, tmp_path) as sidecar,
        sandbox(python) as port,
    ):
        hub_of = {"HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": "0"}
        ended = evaluate(python, sidecar, SPEC | {"tasks": ["mbpp"]}, PORT_SANDBOX=port, **hub_of)
    [record] = ended.result.results
    report = json.loads((tmp_path / "bigcode/mbpp/metrics.json").read_text())["mbpp"]
    assert (record.metric, record.n) == ("pass@1", 5)
    assert float(record.value) == report["pass@1"] == 0.8


def test_without_a_sandbox_nothing_is_executed(python: Path, endpoint: str, tmp_path: Path) -> None:
    with model(lambda *_: "") as upstream, adapter(upstream.url, tmp_path) as sidecar:
        hub_of = {"HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": "0"}
        ended = evaluate(python, sidecar, SPEC | {"tasks": ["humaneval"]}, **hub_of)
    assert ended.failure.reason == "HarnessFailed"
    assert "no sandbox" in ended.failure.message
    assert upstream.seen == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tasks": ["multiple-rs"]}, "no sandbox of this version is equipped"),
        ({"tasks": ["humanevl"]}, "did you mean humaneval"),
        ({"params": {"extra": {"samples": "0"}}}, "give a positive integer"),
    ],
    ids=["toolchain", "unknown", "samples"],
)
def test_what_it_cannot_do_is_refused(
    python: Path, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    with model(lambda *_: "") as upstream, adapter(upstream.url, tmp_path) as sidecar:
        ended = evaluate(python, sidecar, SPEC | change)
    assert ended.exit_code == 64
    assert words in ended.failure.message
    assert upstream.seen == []
