"""Ways in which a proxy has falsified scores before, each tried on the running adapter."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.runtime.harness.model_server import ModelServer
from tests.runtime.harness.processes import AdapterProcess, adapter

SAMPLE = {"model": "m", "prompt": "Q: 1+2\nA:", "max_tokens": 4, "temperature": 1.0}
SCORING = SAMPLE | {"echo": True, "logprobs": 1, "max_tokens": 1, "temperature": 0, "seed": 1234}
QUESTION = {"model": "m", "messages": [{"role": "user", "content": "Q: 1+2"}]}
CACHING = {"MODEL_IDENTITY": "digest-1"}


def post(process: AdapterProcess, body: dict[str, Any], path: str = "/v1/completions") -> Any:
    return httpx.post(process.url + path, json=body, timeout=30).raise_for_status().json()


def test_k_samples_of_one_prompt_are_k_answers(model: ModelServer, tmp_path: Path) -> None:
    with adapter(model.url, tmp_path, **CACHING) as process:
        answers = [post(process, SAMPLE)["id"] for _ in range(5)]
    assert answers == [1, 2, 3, 4, 5]
    assert len(model.seen) == 5


def test_and_a_resumed_evaluation_gets_back_the_same_k(model: ModelServer, tmp_path: Path) -> None:
    for _ in range(2):
        with adapter(model.url, tmp_path, **CACHING) as process:
            assert [post(process, SAMPLE)["id"] for _ in range(5)] == [1, 2, 3, 4, 5]
            process.stop()
    assert len(model.seen) == 5


@pytest.mark.parametrize("start", [SAMPLE, SCORING], ids=["sample", "log-probabilities"])
def test_two_prompts_never_share_an_answer(
    start: dict[str, Any], model: ModelServer, tmp_path: Path
) -> None:
    variants: list[dict[str, Any]] = [
        start,
        start | {"prompt": "Q: 2+2\nA:"},
        start | {"prompt": ["Q: 1+2\nA:"]},
        start | {"prompt": list(b"Q: 1+2\nA:")},
        start | {"stop": ["\n"]},
        start | {"n": 1},
    ]
    for _ in range(2):
        with adapter(model.url, tmp_path, **CACHING) as process:
            answers = [post(process, body)["id"] for body in variants]
            process.stop()
        assert answers == [1, 2, 3, 4, 5, 6]
    assert len(model.seen) == 6


def test_another_model_gives_its_own_answers(model: ModelServer, tmp_path: Path) -> None:
    for number, identity in enumerate(("digest-1", "digest-2"), start=1):
        with adapter(model.url, tmp_path, MODEL_IDENTITY=identity) as process:
            assert post(process, SCORING)["id"] == number
            process.stop()


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_failure_of_the_target_is_counted_as_one(
    status: int, model: ModelServer, tmp_path: Path
) -> None:
    model.fail_after, model.fail_status = 0, status
    with adapter(model.url, tmp_path, **CACHING) as process:
        answer = httpx.post(f"{process.url}/v1/completions", json=SAMPLE)
        progress = process.progress()
        process.stop()
        [line] = process.log()
    assert answer.status_code == line["status"] == status
    assert (progress["done"], progress["failed"]) == (0, 1)
    assert progress["unanswered"]["unavailable"] == 1


def test_and_it_is_never_given_again(model: ModelServer, tmp_path: Path) -> None:
    model.fail_after, model.fail_times = 0, 1
    with adapter(model.url, tmp_path, **CACHING) as process:
        assert httpx.post(f"{process.url}/v1/completions", json=SCORING).status_code == 500
        assert post(process, SCORING)["id"] == 2
        assert process.progress()["unanswered"]["unavailable"] == 0


@pytest.mark.parametrize(
    "nothing",
    ["", '{"message": "warming up"}', '{"choices": []}', "<p>Just a moment</p>", '{"choices": [{'],
    ids=["empty", "warming up", "no choices", "HTML", "cut"],
)
def test_a_good_status_without_an_answer_is_a_failure_too(
    nothing: str, model: ModelServer, tmp_path: Path
) -> None:
    model.fail_after, model.fail_times, model.fail_status, model.fail_body = 0, 1, 200, nothing
    with adapter(model.url, tmp_path, **CACHING) as process:
        answer = httpx.post(f"{process.url}/v1/completions", json=SCORING)
        failed = process.progress()
        assert post(process, SCORING)["id"] == 2
        settled = process.progress()
        process.stop()
    assert answer.status_code == 502
    assert answer.json()["error"]["type"] == "upstream_error"
    assert nothing in answer.json()["error"]["message"]
    assert (failed["done"], failed["unanswered"]["unavailable"]) == (0, 1)
    assert (settled["done"], settled["unanswered"]["unavailable"]) == (1, 0)
    with adapter(model.url, tmp_path, **CACHING) as process:
        assert post(process, SCORING)["id"] == 2


def test_a_kill_in_the_middle_of_a_line_costs_one_answer_and_doubles_none(
    model: ModelServer, tmp_path: Path
) -> None:
    prompts = [f"Q: {n}+1\nA:" for n in range(6)]
    with adapter(model.url, tmp_path, **CACHING) as process:
        before = [post(process, SAMPLE | {"prompt": prompt})["id"] for prompt in prompts]
        os.kill(process.process.pid, signal.SIGTERM)
        process.process.wait(30)
    for name in ("cache/answers.jsonl", "requests.jsonl"):
        path = tmp_path / name
        path.write_bytes(path.read_bytes()[:-20])  # as if killed before the last page was written

    with adapter(model.url, tmp_path, **CACHING) as process:
        after = [post(process, SAMPLE | {"prompt": prompt})["id"] for prompt in prompts]
        progress = process.progress()
        process.stop()
    assert after == [*before[:5], 7]
    assert (progress["done"], progress["cached"]) == (6, 5)
    lines = (tmp_path / "requests.jsonl").read_text().splitlines()
    whole = [json.loads(line) for line in lines if line.endswith("}")]
    paid = [line["sha256"] for line in whole if not line.get("cached")]
    assert len(paid) == len(set(paid)) == 6


@pytest.mark.parametrize(
    "message",
    [
        {"content": None, "reasoning_content": "1 and 2"},
        {"content": "", "reasoning": "1 and 2"},
        {"content": "<think>1 and 2"},
    ],
    ids=["null", "empty", "unfinished"],
)
def test_an_answer_of_reasoning_alone_is_flagged(
    message: dict[str, Any], model: ModelServer, tmp_path: Path
) -> None:
    model.message = message
    with adapter(model.url, tmp_path) as process:
        answer = post(process, QUESTION, "/v1/chat/completions")
        progress = process.progress()
        metrics = httpx.get(f"{process.url}/metrics").text
        process.stop()
        [line] = process.log()
    assert isinstance(answer["choices"][0]["message"]["content"], str)
    assert progress["flagged"] == {"reasoningOnly": 1, "empty": 0, "truncated": 0}
    assert line["flags"] == ["reasoningOnly"]
    assert 'proctor_adapter_flagged_total{flag="reasoningOnly"} 1\n' in metrics


def test_an_honest_answer_is_not(model: ModelServer, tmp_path: Path) -> None:
    with adapter(model.url, tmp_path) as process:
        post(process, QUESTION, "/v1/chat/completions")
        assert set(process.progress()["flagged"].values()) == {0}
