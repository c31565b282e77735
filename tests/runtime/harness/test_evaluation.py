"""The driver, the adapter and stock lm-eval together, against a server that can misbehave."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from proctor_crds.wire import Failure, RunResult
from tests.runtime.harness.model_server import ModelServer
from tests.runtime.harness.processes import AdapterProcess, driver_environ

TASKS = Path(__file__).parent / "tasks"
SPEC = {
    "harness": "lm-eval",
    "tasks": ["sums", "sum_gen"],
    "model": "m,x=1",
    "params": {"parallelism": 4, "limitSamples": 5, "maxRetries": 1, "temperature": "0"},
}


def evaluate(sidecar: AdapterProcess, spec: dict[str, Any], tasks: Path = TASKS) -> int:
    environ = driver_environ(sidecar.artifacts, sidecar.port, spec, MOUNT_DATASETS=str(tasks))
    argv = [sys.executable, "-m", "proctor_harness", "run"]
    return subprocess.run(argv, env=environ, check=False, timeout=600).returncode


def termination(sidecar: AdapterProcess) -> str:
    return (sidecar.artifacts / "termination").read_text()


def report(sidecar: AdapterProcess) -> dict[str, Any]:
    [path] = (sidecar.artifacts / "lm-eval").rglob("results_*.json")
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def test_the_scores_are_those_of_lm_eval(sidecar: AdapterProcess, model: ModelServer) -> None:
    before = sorted(TASKS.iterdir())
    assert evaluate(sidecar, SPEC) == 0
    result = RunResult.model_validate_json(termination(sidecar))
    assert result == RunResult.model_validate_json((sidecar.artifacts / "results.json").read_text())
    reported = report(sidecar)["results"]
    scores = {(r.task, f"{r.metric},{r.filter}"): float(r.value) for r in result.results}
    assert scores == {(task, metric): reported[task][metric] for task, metric in scores}
    assert {(task, metric.split(",")[0]) for task, metric in scores} == {
        ("sums", "acc"),
        ("sum_mc", "acc"),
        ("sum_mc", "acc_norm"),
        ("text_ppl", "bits_per_byte"),
        ("text_ppl", "word_perplexity"),
        ("sum_gen", "exact_match"),
    }
    intervals = {(r.task, r.metric): (r.ci_low, r.ci_high) for r in result.results}
    assert intervals["sum_gen", "exact_match"] == ("0.375535", "0.963776")  # Wilson's, of 4 in 5
    assert None not in intervals["sums", "acc"]
    assert intervals["text_ppl", "word_perplexity"] == (None, None)
    assert scores["sum_gen", "exact_match,number"] == 0.8  # the last of five is wrong on purpose
    assert sorted(TASKS.iterdir()) == before

    progress = sidecar.progress()
    assert progress["done"] == progress["total"] == result.requests == 5 * 3 + 4 + 5
    assert {body["model"] for body in model.seen} == {"m,x=1"}
    [ahead] = model.probes
    assert (ahead["model"], ahead["max_tokens"], ahead["echo"]) == ("m,x=1", 1, True)
    assert {headers["authorization"] for headers in model.headers} == {"Bearer sk-secret"}
    sidecar.stop()
    assert sum(line["items"] for line in sidecar.log()) == 24


def test_repeats_are_asked_with_seeds_of_their_own_and_told_together(
    sidecar: AdapterProcess, model: ModelServer
) -> None:
    assert evaluate(sidecar, SPEC | {"repeats": 3}) == 0
    result = RunResult.model_validate_json((sidecar.artifacts / "results.json").read_text())
    assert {body["seed"] for body in model.seen} == {1234, 1235, 1236}
    assert sidecar.progress()["done"] == result.requests == 3 * 24
    found = {(r.task, r.metric): r for r in result.results}
    generated = found["sum_gen", "exact_match"]
    assert (generated.value, generated.repeats, generated.n) == ("0.8", 3, 5)
    assert float(generated.stdev_of_repeats or 1) < 1e-9  # the model is the same each time
    # Five samples, however often they are asked.
    assert float(generated.stderr or 0) == pytest.approx(0.2)
    assert float(found["sum_gen", "exact_match_pass@2"].value) == pytest.approx(0.8)
    lines = (sidecar.artifacts / "items.jsonl").read_text().splitlines()
    items = [json.loads(line) for line in lines]
    assert {item.get("repeat", 0) for item in items} == {0, 1, 2}
    assert len({item["sample"] for item in items if item["task"] == "sum_mc"}) == 5


def test_a_target_that_breaks_half_way_is_not_scored(
    sidecar: AdapterProcess, model: ModelServer
) -> None:
    model.fail_after = 10
    assert evaluate(sidecar, SPEC | {"tasks": ["sum_mc"]}) == 75
    failure = Failure.model_validate_json(termination(sidecar))
    assert failure.reason == "TargetUnreachable"
    assert "HTTP 500" in failure.message
    assert "injected" in failure.message
    assert not (sidecar.artifacts / "results.json").exists()


def test_an_unknown_task_is_named_with_its_neighbours(
    sidecar: AdapterProcess, model: ModelServer
) -> None:
    assert evaluate(sidecar, SPEC | {"tasks": ["sum_gen", "sum_mcc"]}) == 64
    failure = Failure.model_validate_json(termination(sidecar))
    assert failure.reason == "UnknownTask"
    assert "'sum_mcc'" in failure.message
    assert "sum_mc," in failure.message or "sum_mc?" in failure.message
    assert model.seen == []


def test_a_hub_that_does_not_answer_is_told_before_anything_is_asked(
    sidecar: AdapterProcess, model: ModelServer, tmp_path: Path
) -> None:
    task = {"task": "lost", "dataset_path": "acme/none", "output_type": "generate_until"}
    columns = {"test_split": "test", "doc_to_text": "{{q}}", "doc_to_target": "{{a}}"}
    (tmp_path / "lost.yaml").write_text(json.dumps(task | columns))
    assert evaluate(sidecar, SPEC | {"tasks": ["lost"]}, tmp_path) == 75
    failure = Failure.model_validate_json(termination(sidecar))
    assert failure.reason == "SourceUnreachable"
    assert "Couldn't reach 'acme/none' on the Hub" in failure.message
    assert (failure.requests, model.seen, model.probes) == (0, [], [])


def test_a_chat_endpoint_cannot_score_log_probabilities(
    sidecar: AdapterProcess, model: ModelServer
) -> None:
    assert evaluate(sidecar, SPEC | {"endpointType": "chat"}) == 64
    failure = Failure.model_validate_json(termination(sidecar))
    assert failure.reason == "ParameterInvalid"
    assert "sum_mc, text_ppl" in failure.message


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (
            {"harness": "lm_eval"},
            "harness='lm_eval': choose one of bfcl, bigcode, container, garak",
        ),
        ({"params": {"temperature": "3"}}, "params.temperature='3': choose a number from 0 to 2"),
        ({"params": {"parallelism": 0}}, "params.parallelism=0"),
        ({"params": {"extra": {"tokeniser": "x"}}}, "did you mean tokenizer?"),
    ],
    ids=["harness", "range", "schema", "extra"],
)
def test_wrong_input_is_rejected(sidecar: AdapterProcess, spec: dict[str, Any], words: str) -> None:
    assert evaluate(sidecar, SPEC | spec) == 64
    failure = Failure.model_validate_json(termination(sidecar))
    assert failure.reason == "ParameterInvalid"
    assert words in failure.message
