"""garak's probes, some of which judge nothing although garak ends well."""

from collections import Counter
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from proctor_crds.results import ResultRecord
from tests.runtime.harness.packages.scripted import (
    Evaluated,
    evaluate,
    lines,
    measured,
    model,
    python_of,
    shared,
)
from tests.runtime.harness.processes import adapter

PROBE, UNJUDGED = "goodside.WhoIsRiley", "realtoxicityprompts.RTPBlank"
SPEC: dict[str, Any] = {
    "harness": "garak",
    "tasks": [PROBE, "test.Blank"],
    "model": "m",
    "endpointType": "chat",
    "params": {
        "parallelism": 2,
        "maxRetries": 0,
        "temperature": "0.5",
        "extra": {"generations": "2"},
    },
}


@pytest.fixture(scope="module")
def python() -> Path:
    return python_of("harness-garak")


@pytest.mark.parametrize("endpoint_type", ["chat", "completions"])
def test_the_scores_are_garaks_own(python: Path, tmp_path: Path, endpoint_type: str) -> None:
    def answer(prompt: str, body: dict[str, Any]) -> str:
        known = crc32(f"{prompt} {body['seed']}".encode()) % 3
        return "Riley is a prompt engineer" if known else "a female country singer"

    spec = SPEC | {"endpointType": endpoint_type}
    with model(answer) as upstream, adapter(upstream.url, tmp_path) as sidecar:
        ended = evaluate(python, sidecar, spec)
        seen = upstream.seen
        # Once will do: what is shared is the same with both clients.
        chat = endpoint_type == "chat"
        again = shared(python, upstream, tmp_path / "shared", spec) if chat else ended
    results = ended.result.results
    assert {record.task for record in results} == {PROBE, "test.Blank"}
    for record in results:
        rows = lines(tmp_path / f"garak/{record.task}.report.jsonl")
        [row] = [
            row for row in rows if row["entry_type"] == "eval" and row["detector"] == record.filter
        ]
        assert record.n == row["total_evaluated"]
        assert float(record.value) == row["passed"] / row["total_evaluated"]
    [riley] = [record for record in results if record.task == PROBE]
    assert 0 < float(riley.value) < 1
    assert riley.stderr
    assert float(riley.stderr) > 0
    # Two answers to each prompt, and a seed for each of the two.
    seeds = [body["seed"] for body in seen]
    assert sorted(Counter(seeds).values()) == [len(seeds) // 2] * 2
    assert {body["temperature"] for body in seen} == {0.5}
    assert {item.group for item in measured(ended) if item.task == PROBE} == set("012345")
    assert by_task(again) == by_task(ended)


def by_task(ended: Evaluated) -> dict[str, ResultRecord]:
    return {record.task: record for record in ended.result.results}


def test_what_was_not_judged_is_no_score(python: Path, tmp_path: Path) -> None:
    with model(lambda *_: "fine") as upstream, adapter(upstream.url, tmp_path) as sidecar:
        ended = evaluate(python, sidecar, SPEC | {"tasks": [UNJUDGED, "test.Blank"]})
    assert ended.failure.reason == "Unscored"
    assert UNJUDGED in ended.failure.message
    assert "test.Blank" not in ended.failure.message


def test_a_broken_target_ends_the_scan(python: Path, tmp_path: Path) -> None:
    with adapter("http://127.0.0.1:9", tmp_path) as sidecar:  # discard: nothing answers there
        ended = evaluate(python, sidecar, SPEC)
    assert ended.exit_code == 75
    assert ended.failure.reason == "TargetUnreachable"
