"""Interceptors that look on."""

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from proctor_harness.adapter.content import Content
from proctor_harness.adapter.messages import Interceptor, Origin, Request, Response
from tests.unit.harness.adapter.asking import (
    JSON_HEADERS,
    Fetcher,
    Target,
    ask,
    make,
    question,
    reply,
    site,
    streamed,
)

USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
CACHED = Response(200, JSON_HEADERS, Content(b"{}"), Origin.CACHE)


async def asked(interceptor: Interceptor, *answers: Any) -> None:
    for answer in answers:
        await ask(interceptor, question(), Target([answer]))


@pytest.fixture(autouse=True)
def _everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


async def test_the_first_requests_are_logged_without_credentials(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    interceptor = make("request_logging", site(tmp_path))
    headers = ((b"x-api-key", b"sk-canary"), (b"accept", b"*/*"))
    for number in range(3):
        request = Request("POST", "/v1/x", headers, Content(b"body %d" % number))
        await ask(interceptor, request, Target())
    assert "body=body 0" in caplog.text
    assert "body=body 1" in caplog.text
    assert "body 2" not in caplog.text
    assert "'accept': '*/*'" in caplog.text
    assert "canary" not in caplog.text


async def test_request_logging_may_say_less_and_log_all(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = {"max_requests": None, "log_request_body": False, "log_request_headers": False}
    await asked(make("request_logging", site(tmp_path), **config), *[reply()] * 4)
    assert [record.message for record in caplog.records] == [
        "request POST /v1/chat/completions"
    ] * 4


async def test_responses_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    interceptor = make("response_logging", site(tmp_path), max_responses=2)
    await asked(interceptor, await streamed(b"data: 1\n\n", b"data: 2\n\n"), 529, 500)
    assert "response 200 headers" in caplog.text
    assert "data: 1\n\ndata: 2" in caplog.text
    assert "response 529 headers" in caplog.text
    assert "500" not in caplog.text


async def test_logging_shows_beginnings(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    await asked(make("logging", site(tmp_path)), reply("x" * 1000))
    assert "request POST /v1/chat/completions body={" in caplog.text
    assert f"{'x' * 100}... (" in caplog.text
    assert "x" * 1000 not in caplog.text


async def test_tokens_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    last = json.dumps({"choices": [{"delta": {}}], "usage": USAGE}).encode()
    stream = await streamed(b"data: %b\n\n" % last)
    await asked(make("log_tokens", site(tmp_path)), reply() | {"usage": USAGE}, stream, reply())
    assert caplog.text.count("prompt=5 completion=2 total=7") == 2


async def figures(root: Path) -> Any:
    return json.loads((root / "eval_factory_metrics.json").read_text())["response_stats"]


async def test_responses_are_counted(tmp_path: Path) -> None:
    where = site(tmp_path)
    calls = reply(None, tool_calls=[{"id": "1"}, {"id": "2"}], function_call={"name": "f"})
    long = reply() | {"usage": {**USAGE, "prompt_tokens": 9}}
    await asked(make("response_stats", where), reply() | {"usage": USAGE}, long, calls, 500, CACHED)
    await where.finish()
    found = await figures(tmp_path)
    expected = {
        "count": 4,
        "successful_count": 3,
        "avg_prompt_tokens": 4.67,
        "max_prompt_tokens": 9,
        "avg_completion_tokens": 1.33,
        "max_total_tokens": 7,
        "tool_calls_count": 2,
        "function_calls_count": 1,
        "finish_reason": {"stop": 3},
        "status_codes": {"200": 3, "500": 1},
        "run_id": 0,
    }
    assert {key: found[key] for key in expected} == expected
    assert found["max_latency_ms"] >= found["avg_latency_ms"] >= 0
    assert found["inference_run_times"]["0"]["inference_time"] >= 0


async def test_what_is_not_of_interest_is_not_counted(tmp_path: Path) -> None:
    where = site(tmp_path)
    stats = make(
        "response_stats",
        where,
        collect_token_stats=False,
        collect_finish_reasons=False,
        collect_tool_calls=False,
    )
    await asked(stats, reply(tool_calls=[{}]) | {"usage": USAGE})
    await where.finish()
    found = await figures(tmp_path)
    assert (found["finish_reason"], found["tool_calls_count"]) == ({}, 0)
    assert found["avg_prompt_tokens"] == 0


async def test_a_restart_counts_on(tmp_path: Path) -> None:
    for expected, answers in ((2, [reply(), 500]), (3, [reply()])):
        where = site(tmp_path)
        await asked(make("response_stats", where), *answers)
        await where.finish()
        found = await figures(tmp_path)
        assert found["count"] == expected
    assert found["run_id"] == 1
    assert found["inference_run_times"].keys() == {"0", "1"}


async def test_a_half_written_line_does_not_stop_the_count(tmp_path: Path) -> None:
    path = tmp_path / "response_stats_cache" / "response_stats.jsonl"
    path.parent.mkdir()
    path.write_text('[1.0,0,200,3.5]\n[1.0,0,"')
    where = site(tmp_path)
    await asked(make("response_stats", where), reply())
    await where.finish()
    assert (await figures(tmp_path))["count"] == 2


async def test_figures_are_written_now_and_then_beside_those_of_others(tmp_path: Path) -> None:
    path = tmp_path / "eval_factory_metrics.json"
    path.write_text('{"evaluation": {"runtime_seconds": 3}}')
    where = site(tmp_path)
    stats = make("response_stats", where, stats_file_saving_interval=2)
    await asked(stats, reply())
    await where.disk.flush()
    assert "response_stats" not in json.loads(path.read_text())
    await asked(stats, reply())
    await where.disk.flush()
    assert json.loads(path.read_text()).keys() == {"evaluation", "response_stats"}


async def test_pairs_are_dumped(tmp_path: Path) -> None:
    where = site(tmp_path)
    dump = make("http_pairs_dump", where, dump_path="/out/pairs.json", first_n=2)
    await asked(dump, reply("1"), 500, reply("3"), 503, Response(200, (), Content(b"\xff")))
    await where.disk.flush()
    found = json.loads((tmp_path / "out" / "pairs.json").read_text())
    assert found["metrics"] == {"200": 3, "500": 1, "503": 1}
    assert [pair["response"]["status"] for pair in found["pairs"]] == [200, 500, 503]
    assert found["pairs"][0]["request"]["body"]["messages"]
    assert found["pairs"][0]["response"]["body"] == reply("1")


async def test_a_dump_tells_sessions_apart_and_keeps_credentials(tmp_path: Path) -> None:
    where = site(tmp_path)
    dump = make("http_pairs_dump", where, dump_path="pairs.json")
    request = question(session="ab12")
    headers = ((b"authorization", b"Bearer sk-canary"),)
    request = Request(request.method, request.target, headers, request.body, request.session)
    await ask(dump, request, Target())
    await where.disk.flush()
    content = (tmp_path / "pairs.json").read_text()
    assert '"session_id": "ab12"' in content
    assert "canary" not in content


class Slow(Fetcher):
    """A web service that answers when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.answering = asyncio.Event()
        self.asked_once = asyncio.Event()

    async def __call__(
        self, method: str, url: str, headers: dict[str, str], body: bytes
    ) -> Response:
        response = await super().__call__(method, url, headers, body)
        self.asked_once.set()
        await self.answering.wait()
        return response


async def test_progress_keeps_nobody_waiting_and_skips_old_news(tmp_path: Path) -> None:
    service = Slow()
    where = site(tmp_path, fetch=service, environ={"ID": "7"})
    config = {"progress_tracking_url": "http://svc/jobs/$ID", "progress_tracking_interval": 2}
    tracking = make("progress_tracking", where, **config)
    async with asyncio.timeout(5):
        await asked(tracking, *[reply()] * 2)
        await asyncio.sleep(0.01)
        await asked(tracking, *[reply()] * 5, 500, CACHED)
        service.answering.set()
        await asyncio.sleep(0.01)
        await where.finish()
    assert [json.loads(body) for *_, body in service.asked] == [
        {"samples_processed": 2},
        {"samples_processed": 7},
    ]
    assert service.asked[0][:2] == ("PATCH", "http://svc/jobs/7")


async def test_the_newer_generation_posts(tmp_path: Path) -> None:
    service = Fetcher()
    where = site(tmp_path, fetch=service)
    tracking = make("progress_tracking", where, webhook_url="http://svc", every=3)
    await asked(tracking, *[reply()] * 3)
    await asyncio.sleep(0.01)
    assert [(m, json.loads(body)) for m, _, _, body in service.asked] == [
        ("POST", {"completed": 3})
    ]


async def test_a_service_that_is_away_is_told_next_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    service = Fetcher([None, 500, 200])
    where = site(tmp_path, fetch=service)
    tracking = make("progress_tracking", where, progress_tracking_url="http://svc/$TOKEN")
    for _ in range(2):
        await asked(tracking, reply())
        await asyncio.sleep(0.01)
    await where.finish()
    assert [json.loads(body)["samples_processed"] for *_, body in service.asked] == [1, 2]
    assert "http://svc/$TOKEN was not told of 1 requests" in caplog.text
    assert "answers 500" in caplog.text


async def test_progress_is_told_by_the_clock_too(tmp_path: Path) -> None:
    service = Slow()
    where = site(tmp_path, fetch=service)
    config = {"progress_tracking_interval": 100, "progress_tracking_interval_seconds": 0.01}
    await asked(make("progress_tracking", where, **config), reply())
    async with asyncio.timeout(10):
        await service.asked_once.wait()
    assert json.loads(service.asked[0][3]) == {"samples_processed": 1}


async def test_progress_is_kept_in_a_file(tmp_path: Path) -> None:
    for expected in ("2", "4"):
        where = site(tmp_path)
        tracking = make("progress_tracking", where, output_dir="/out", progress_tracking_url=None)
        await asked(tracking, reply(), reply())
        await where.disk.flush()
        assert (tmp_path / "out" / "progress").read_text() == expected
