"""The running adapter with a configuration, from the variable or a mounted file."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.runtime.harness.model_server import ModelServer
from tests.runtime.harness.processes import adapter

COMPLETION = {"model": "m", "prompt": "Q: 1+2\nA:", "max_tokens": 4}
CHAT = {"model": "m", "messages": [{"role": "user", "content": "Q: 1+2"}]}
BROKEN = '''
from proctor_harness.adapter.configuration import InterceptorConfig
from proctor_harness.adapter.rewrite import change_answer

class Config(InterceptorConfig):
    """No fields."""

def build(config, site):
    return change_answer(lambda answer: answer["no such field"])
'''


def endpoint(**config: Any) -> str:
    return json.dumps({"interceptors": [{"name": "endpoint", "config": config}]})


def test_a_mounted_file_changes_questions_and_answers(model: ModelServer, tmp_path: Path) -> None:
    path = tmp_path / "adapter.yaml"
    path.write_text(
        """
        interceptors:
        - name: system_message
          config: {system_message: Be brief.}
        - name: drop_params
          config: {params: [logit_bias]}
        - endpoint
        - name: reasoning
        """
    )
    model.message = {"content": "<think>1 and 2</think>3"}
    with adapter(model.url, tmp_path / "artifacts", ADAPTER_CONFIG=str(path)) as process:
        body = CHAT | {"logit_bias": {}}
        answer = httpx.post(f"{process.url}/v1/chat/completions", json=body).json()
    assert answer["choices"][0]["message"]["content"] == "3"
    [asked] = model.seen
    assert asked["messages"][0] == {"role": "system", "content": "Be brief."}
    assert "logit_bias" not in asked


def test_an_interceptor_of_ones_own_that_fails_is_counted_apart(
    model: ModelServer, tmp_path: Path
) -> None:
    mounted = tmp_path / "interceptors"
    mounted.mkdir()
    (mounted / "cow.py").write_text(BROKEN)
    config = {"discovery": {"dirs": [str(mounted)]}, "interceptors": ["cow", "endpoint"]}
    artifacts = tmp_path / "artifacts"
    with adapter(model.url, artifacts, ADAPTER_CONFIG=json.dumps(config)) as process:
        answer = httpx.post(f"{process.url}/v1/chat/completions", json=CHAT)
        progress = process.progress()
        process.stop()
        [line] = process.log()
    assert answer.status_code == 500
    error = answer.json()["error"]
    assert (error["type"], error["code"]) == ("adapter_error", "interceptor_failed")
    assert (progress["done"], progress["failed"]) == (0, 1)
    assert progress["unanswered"] == {
        "unavailable": 0,
        "rejected": 0,
        "denied": 0,
        "refused": 0,
        "abandoned": 0,
        "adapter": 1,
    }
    assert "interceptor cow" in progress["lastError"]
    assert "interceptor cow" in line["error"]


def test_a_busy_target_is_asked_again_when_it_says(model: ModelServer, tmp_path: Path) -> None:
    model.fail_after, model.fail_times, model.fail_status = 0, 1, 429
    model.fail_headers = {"retry-after": "1"}
    with adapter(model.url, tmp_path, ADAPTER_CONFIG=endpoint(max_retries=2)) as process:
        started = time.monotonic()
        answer = httpx.post(f"{process.url}/v1/completions", json=COMPLETION)
        progress = process.progress()
    assert answer.status_code == 200
    assert time.monotonic() - started >= 1
    assert len(model.seen) == 2
    assert (progress["done"], progress["failed"]) == (1, 0)


def test_one_question_has_one_budget(model: ModelServer, tmp_path: Path) -> None:
    config = endpoint(max_retries=100, request_timeout=0.2, total_timeout=1.0)
    with adapter(model.url, tmp_path, ADAPTER_CONFIG=config) as process:
        started = time.monotonic()
        answer = httpx.post(f"{process.url}/v1/slow", json=COMPLETION)
    assert answer.status_code == 504
    assert 0.4 < time.monotonic() - started < 10


@pytest.mark.parametrize(("most", "seen"), [(3, 3), (None, 16)])
async def test_the_target_sees_as_many_at_once_as_it_may(
    most: int | None, seen: int, model: ModelServer, tmp_path: Path
) -> None:
    model.delay_seconds = 0.3 if most else 1.5
    with adapter(model.url, tmp_path, ADAPTER_CONFIG=endpoint(max_concurrent=most)) as process:
        async with httpx.AsyncClient(base_url=process.url, timeout=30) as client:
            asking = [client.post("/v1/completions", json=COMPLETION) for _ in range(16)]
            answers = await asyncio.gather(*asking)
    assert {answer.status_code for answer in answers} == {200}
    assert model.most_in_flight == seen


def test_reports_are_there_when_the_evaluation_has_ended(
    model: ModelServer, tmp_path: Path
) -> None:
    with adapter(model.url, tmp_path) as process:
        for number in range(7):
            body = COMPLETION | {"prompt": f"Q: {number}+1\nA:"}
            httpx.post(f"{process.url}/v1/completions", json=body)
        started = time.monotonic()
        assert process.stop() == 0
        assert time.monotonic() - started < 10
    assert len(json.loads((tmp_path / "report.json").read_text())) == 5
    assert "Q: 0+1" in (tmp_path / "report.html").read_text()
    figures = json.loads((tmp_path / "eval_factory_metrics.json").read_text())
    assert figures["response_stats"]["count"] == 7


def test_or_when_they_are_asked_for(model: ModelServer, tmp_path: Path) -> None:
    with adapter(model.url, tmp_path) as process:
        httpx.post(f"{process.url}/v1/completions", json=COMPLETION)
        assert httpx.post(f"{process.url}/adapterserver/run-post-hook").status_code == 200
        assert (tmp_path / "report.html").exists()


def test_a_session_is_not_told_to_the_target(model: ModelServer, tmp_path: Path) -> None:
    config = {"interceptors": [{"name": "turn_counter", "config": {"max_turns": 1}}, "endpoint"]}
    with adapter(model.url, tmp_path, ADAPTER_CONFIG=json.dumps(config)) as process:
        url = f"{process.url}/s/ab12/v1/chat/completions"
        statuses = [httpx.post(url, json=CHAT).status_code for _ in range(2)]
        progress = process.progress()
    assert statuses == [200, 429]
    assert progress["unanswered"]["refused"] == 1
