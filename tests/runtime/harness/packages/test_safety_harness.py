"""NVIDIA's safety harness on data in the real format from a hub, judged by a second model."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models

from tests.runtime.harness.packages.hub import dataset, hub
from tests.runtime.harness.packages.scripted import (
    Evaluated,
    Model,
    evaluate,
    measured,
    model,
    python_of,
    shared,
)
from tests.runtime.harness.processes import adapter

LIMIT = 6
SPEC: dict[str, Any] = {
    "harness": "safety-harness",
    "tasks": ["wildguard", "aegis_v2"],
    "model": "m",
    "judgeModel": "judge",
    "endpointType": "chat",
    "params": {"parallelism": 2, "limitSamples": LIMIT, "maxRetries": 0, "temperature": "0.1"},
}
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m['role'] }}<|end_header_id|>\n\n"
    "{{ m['content'] | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
POLICY = "sections:\n- name: 1. Manners\n  rules: [be polite]\n"


def tokenizer() -> dict[str, bytes]:
    """Of Llama 3.1 what the harness takes of it: the chat template."""
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<|begin_of_text|>",
        "chat_template": TEMPLATE,
    }
    words = Tokenizer(models.WordLevel({"<|begin_of_text|>": 0}, unk_token="<|begin_of_text|>"))
    files = {"tokenizer.json": words.to_str(), "tokenizer_config.json": json.dumps(config)}
    return {name: text.encode() for name, text in files.items()}


def aegis(number: int) -> dict[str, Any]:
    """One row of Aegis 2.0, as its columns are; 36 of its prompts are withheld."""
    labels = {"prompt_label": "unsafe", "response_label": None, "violated_categories": "Violence"}
    sources = {"prompt_label_source": "human", "response_label_source": None}
    prompt = f"ask {number}" if number < 1928 else "REDACTED"
    return {"id": str(number), "prompt": prompt, "response": None, **labels, **sources}


def wildguard(number: int) -> dict[str, Any]:
    """One row of WildGuardTest, as its columns are."""
    labels = {
        "prompt_harm_label": "harmful",
        "response_refusal_agreement": 1.0,
        "response_refusal_label": "refusal",
        "response_harm_label": "unharmful",
        "prompt_harm_agreement": 1.0,
        "response_harm_agreement": 1.0,
    }
    kind = {"adversarial": number % 2 == 0, "subcategory": "others", "response": ""}
    return {"prompt": f"ask {number}", **kind, **labels}


@pytest.fixture(scope="module")
def python() -> Path:
    return python_of("harness-safety-harness")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    repositories = {
        "nvidia/Aegis-AI-Content-Safety-Dataset-2.0": dataset(
            {"test": list(map(aegis, range(1964)))}
        ),
        "allenai/wildguardmix": dataset(
            {"test": list(map(wildguard, range(1725)))}, "wildguardtest"
        ),
        "meta-llama/Llama-3.1-8B-Instruct": tokenizer(),
    }
    with hub(repositories) as url:
        yield url


def answer(prompt: str, _: dict[str, Any]) -> str:
    """Give in to request 1; think aloud about request 2."""
    return {"ask 1": "BAD", "ask 2": "BAD idea</think>never"}.get(prompt, "never")


def verdict(prompt: str, body: dict[str, Any]) -> str:
    """In each judge's own words; request 3 leaves it speechless."""
    bad = "BAD" in prompt
    if "ask 3" in prompt:
        return "I cannot tell"
    if "messages" in body:
        return json.dumps({"overall_compliance": "NOT_" * bad + "COMPLIANT"})
    if "<|assistant|>" in prompt:
        harmful = "yes" if bad else "no"
        return f"Harmful request: yes\nResponse refusal: no\nHarmful response: {harmful}"
    safety = {"User Safety": "unsafe", "Response Safety": "unsafe" if bad else "safe"}
    return json.dumps(safety | {"Safety Categories": "Violence"})


@dataclass
class Judged:
    """A run and what its two models were asked."""

    ended: Evaluated
    target: Model
    judge: Model
    progress: dict[str, Any]
    judge_url: str


@contextlib.contextmanager
def judged(python: Path, folder: Path, spec: dict[str, Any], **env: str) -> Iterator[Judged]:
    """The run, each model behind an adapter of its own."""
    (folder / "judge").mkdir()
    with (
        model(answer) as target,
        model(verdict) as judge,
        adapter(target.url, folder) as sidecar,
        adapter(judge.url, folder / "judge") as second,
    ):
        ended = evaluate(
            python, sidecar, spec, HF_HUB_OFFLINE="0", JUDGE_URL=f"{second.url}/v1", **env
        )
        yield Judged(ended, target, judge, sidecar.progress(), f"{second.url}/v1")


def report(folder: Path, task: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / f"safety-harness/{task}/metrics.json").read_text())
    return found


def test_the_scores_are_the_harness_own(python: Path, endpoint: str, tmp_path: Path) -> None:
    with judged(python, tmp_path, SPEC, HF_ENDPOINT=endpoint) as run:
        found = {record.task: record for record in run.ended.result.results}
        seen, run.judge.seen = run.target.seen, []
        hub_of = {"HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": "0"}
        folder = tmp_path / "shared"
        again = shared(python, run.target, folder, SPEC, JUDGE_URL=run.judge_url, **hub_of)
    assert list(found) == ["wildguard", "aegis_v2"]
    for task, record in found.items():
        metrics = report(tmp_path, task)
        counts = [n for name, n in metrics.items() if not name.startswith("percentage")]
        assert float(record.value) == metrics["safe"] / sum(counts)
        assert (metrics["safe"], metrics["unsafe"], record.n) == (3, 2, LIMIT)
        assert record.extraction_failures == 1
    assert report(tmp_path, "aegis_v2")["percentage safe"] == pytest.approx(50)
    assert run.progress["done"] == run.progress["total"] == 2 * LIMIT
    assert {body["temperature"] for body in seen} == {0.1}
    assert {body["model"] for body in run.judge.seen} == {"judge"}
    items = measured(run.ended)
    assert [item.sample for item in items if not item.value] == ["1", "2", "3"] * 2
    assert again.result.results == run.ended.result.results


def test_completions_are_judged_alike(python: Path, endpoint: str, tmp_path: Path) -> None:
    spec = SPEC | {"endpointType": "completions", "tasks": ["wildguard"]}
    with judged(python, tmp_path, spec, HF_ENDPOINT=endpoint) as run:
        [record] = run.ended.result.results
        hub_of = {"HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": "0"}
        folder = tmp_path / "shared"
        again = shared(python, run.target, folder, spec, JUDGE_URL=run.judge_url, **hub_of)
    assert (float(record.value), record.n) == (0.5, LIMIT)
    assert again.result.results == run.ended.result.results


def test_reasoning_is_judged_and_then_left_out(python: Path, endpoint: str, tmp_path: Path) -> None:
    task = "aegis_v2_reasoning"
    with judged(python, tmp_path, SPEC | {"tasks": [task]}, HF_ENDPOINT=endpoint) as run:
        [record] = run.ended.result.results
    # Only request 2 was answered with its reasoning to the end, which alone was unsafe.
    assert report(tmp_path, task) == {
        "safe": 1.0,
        "unsafe": 0.0,
        "percentage safe": 100.0,
        "percentage unsafe": 0.0,
    }
    assert (float(record.value), record.n) == (1.0, 1)
    assert [item.sample for item in measured(run.ended)] == ["2"]


def test_a_policy_of_ones_own(python: Path, tmp_path: Path) -> None:
    data = tmp_path / "datasets"
    data.mkdir()
    (data / "policy.yaml").write_text(POLICY)
    (data / "asked.jsonl").write_text("".join(f'{{"prompt": "ask {n}"}}\n' for n in range(6)))
    artifacts = tmp_path / "artifacts"
    artifacts.mkdir()
    extra = {"extra": {"dataset": "asked.jsonl", "policy": "policy.yaml"}}
    spec = SPEC | {"tasks": ["compliance"], "params": SPEC["params"] | extra}
    with judged(python, artifacts, spec, MOUNT_DATASETS=str(data)) as run:
        [record] = run.ended.result.results
    assert float(record.value) == report(artifacts, "compliance")["compliance"] == 50.0
    assert (record.n, record.extraction_failures) == (6, 1)
    assert len({item.sample for item in measured(run.ended)}) == 6
    assert 0 < float(record.ci_low or 0) < 50 < float(record.ci_high or 0) < 100


def test_a_judge_that_nobody_understands_scores_nothing(
    python: Path, endpoint: str, tmp_path: Path
) -> None:
    (tmp_path / "judge").mkdir()
    with (
        model(answer) as target,
        model(lambda *_: "hm") as judge,
        adapter(target.url, tmp_path) as sidecar,
        adapter(judge.url, tmp_path / "judge") as second,
    ):
        environ = {"HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": "0", "JUDGE_URL": f"{second.url}/v1"}
        ended = evaluate(python, sidecar, SPEC | {"tasks": ["wildguard"]}, **environ)
    assert ended.failure.reason == "Unscored"
    assert "none of 6 answers" in ended.failure.message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"judgeModel": None}, "judgeRef=None: name the model that judges"),
        ({"tasks": ["aegis"]}, "did you mean aegis_v2"),
        ({"tasks": ["compliance"]}, "params.extra.policy=None: name a file"),
        ({"params": {"extra": {"dataset": "../x.csv"}}}, "give a path below"),
        ({"params": {"fewShot": 1}}, "params.fewShot=1: remove it"),
    ],
    ids=["judge", "unknown", "policy", "path", "parameter"],
)
def test_what_it_cannot_do_is_refused(
    python: Path, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    with judged(python, tmp_path, SPEC | change) as run:
        assert run.ended.exit_code == 64
        assert words in run.ended.failure.message
        assert run.target.seen == []
