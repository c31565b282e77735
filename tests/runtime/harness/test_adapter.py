import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.runtime.harness.model_server import ModelServer
from tests.runtime.harness.processes import AdapterProcess, adapter, free_port

COMPLETION = {"model": "m", "prompt": "Q: 1+2\nA:", "max_tokens": 4}
CHAT = {"model": "m", "messages": [{"role": "user", "content": "Q: 1+2"}]}


@pytest.fixture
async def client(sidecar: AdapterProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=sidecar.url, timeout=10) as client:
        yield client


async def test_an_answer_passes_unchanged(client: httpx.AsyncClient, model: ModelServer) -> None:
    async with httpx.AsyncClient() as no_proxy:
        direct = await no_proxy.post(f"{model.url}/v1/completions", json=COMPLETION)
    proxied = await client.post("/v1/completions", json=COMPLETION)
    assert proxied.content == direct.content.replace(b'"id":1', b'"id":2')
    assert model.seen[0] == model.seen[1] == COMPLETION


async def test_any_method_path_and_query_pass(client: httpx.AsyncClient) -> None:
    answer = await client.delete("/v1/echo?a=%2F&b=ü&status=418")
    assert answer.status_code == 418
    assert answer.headers["x-target"] == "/v1/echo?a=%2F&b=%C3%BC&status=418"


async def test_only_the_upstream_sees_the_key(
    client: httpx.AsyncClient, model: ModelServer
) -> None:
    answer = await client.post("/v1/echo", content=b"x", headers={"authorization": "Bearer wrong"})
    assert json.loads(answer.headers["x-seen"])["authorization"] == "Bearer [redacted]"
    await client.post("/v1/completions", json=COMPLETION, headers={"authorization": "Bearer wrong"})
    assert model.headers[0]["authorization"] == "Bearer sk-secret"


def test_without_a_key_none_is_sent(model: ModelServer, tmp_path: Path) -> None:
    with adapter(model.url, tmp_path) as process:
        answer = httpx.get(f"{process.url}/v1/echo", headers={"authorization": "Bearer x"})
    assert "authorization" not in json.loads(answer.headers["x-seen"])


async def test_hop_by_hop_headers_stay(client: httpx.AsyncClient, model: ModelServer) -> None:
    headers = {"te": "trailers", "keep-alive": "timeout=9", "x-own": "1", "user-agent": "u"}
    answer = await client.post("/v1/echo", content=b"abc", headers=headers)
    seen = json.loads(answer.headers["x-seen"])
    assert "te" not in seen
    assert "keep-alive" not in seen
    assert (seen["x-own"], seen["user-agent"], seen["content-length"]) == ("1", "u", "3")
    assert seen["host"] == model.url.removeprefix("http://")


@pytest.mark.parametrize("size", [100, 3 << 20], ids=["in one piece", "streamed"])
async def test_request_bodies_of_known_length(client: httpx.AsyncClient, size: int) -> None:
    answer = await client.post("/v1/echo", content=b"x" * size)
    assert answer.headers["x-length"] == str(size)


async def test_chunked_request_bodies(client: httpx.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 100_000

    answer = await client.post("/v1/echo", content=chunks())
    assert answer.headers["x-length"] == "2000000"


async def test_events_arrive_as_they_are_made(
    client: httpx.AsyncClient, sidecar: AdapterProcess
) -> None:
    async with client.stream("POST", "/v1/stream/completions", json=COMPLETION) as answer:
        arrivals = [time.monotonic() async for _ in answer.aiter_raw()]
    # They are made in 0.6 s; gathered, they would come at once.
    assert len(arrivals) >= 3
    assert arrivals[-1] - arrivals[0] > 0.3
    sidecar.stop()
    assert sidecar.log()[0]["usage"] == {"completion_tokens": 3}


async def test_a_client_that_leaves_stops_the_upstream(
    client: httpx.AsyncClient, model: ModelServer, sidecar: AdapterProcess
) -> None:
    with pytest.raises(httpx.ReadTimeout):
        await client.post("/v1/slow", json=COMPLETION, timeout=2)
    async with client.stream("POST", "/v1/stream/completions", json=COMPLETION):
        pass
    async with asyncio.timeout(10):
        while model.cancelled < 2:  # noqa: ASYNC110  the model tells nobody
            await asyncio.sleep(0.05)
    assert model.cancelled == 2
    assert sidecar.progress()["unanswered"] == {
        "unavailable": 0,
        "rejected": 0,
        "denied": 0,
        "refused": 0,
        "abandoned": 1,  # /v1/slow asks no model
        "adapter": 0,
    }
    assert sidecar.progress()["done"] == 0


async def test_a_broken_answer_breaks_the_connection(
    client: httpx.AsyncClient, sidecar: AdapterProcess
) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await client.post("/v1/broken", json=COMPLETION)
    assert sidecar.progress()["unanswered"]["unavailable"] == 1


@pytest.mark.parametrize("chunked", [False, True], ids=["at once", "chunked"])
def test_a_stored_answer_has_the_bytes_of_the_fresh_one(
    model: ModelServer, tmp_path: Path, chunked: bool
) -> None:
    """Else a run that is resumed or sharded would be scored on other answers."""
    model.message, model.chunked = {"content": None}, chunked
    given = []
    for session in ("before", "after"):
        with adapter(model.url, tmp_path, MODEL_IDENTITY="m", SESSION=session) as process:
            given.append(httpx.post(f"{process.url}/v1/chat/completions", json=CHAT))
            process.stop()
    fresh, stored = given
    assert len(model.seen) == 1
    assert fresh.json()["choices"][0]["message"]["content"] == ""
    assert fresh.content == stored.content


def test_an_unreachable_upstream_is_an_openai_error(tmp_path: Path) -> None:
    with adapter(f"http://127.0.0.1:{free_port()}", tmp_path) as process:
        answer = httpx.post(f"{process.url}/v1/completions", json=COMPLETION)
        progress = process.progress()
    assert answer.status_code == 502
    assert answer.json()["error"]["type"] == "upstream_error"
    assert "Connection refused" in answer.json()["error"]["message"]
    assert progress["unanswered"]["unavailable"] == 1


def test_a_silent_upstream_times_out(model: ModelServer, tmp_path: Path) -> None:
    with adapter(model.url, tmp_path, UPSTREAM_TIMEOUT_SECONDS="0.3") as process:
        answer = httpx.post(f"{process.url}/v1/slow", json=COMPLETION)
    assert answer.status_code == 504


async def test_progress_counts_prompts_and_forgets_what_a_retry_answered(
    client: httpx.AsyncClient, model: ModelServer, sidecar: AdapterProcess
) -> None:
    model.fail_after, model.fail_times = 0, 1
    await client.post("/progress", json={"total": 10})
    await client.post("/v1/completions", json=COMPLETION)
    assert sidecar.progress()["unanswered"]["unavailable"] == 1
    assert sidecar.progress()["lastError"].startswith("POST /v1/completions: HTTP 500: ")
    await client.post("/v1/completions", json=COMPLETION)
    batch = COMPLETION | {"prompt": [[1, 2], [3], [4]], "echo": True, "max_tokens": 1}
    await client.post("/v1/completions", json=batch)
    await client.post("/tokenize", json={"prompt": "not an item"})
    progress = sidecar.progress()
    assert (progress["done"], progress["total"], progress["failed"]) == (4, 10, 1)
    assert progress["unanswered"]["unavailable"] == 0


async def test_a_malformed_announcement_is_refused(client: httpx.AsyncClient) -> None:
    assert (await client.post("/progress", json={"total": "many"})).status_code == 400


async def test_the_log_has_a_line_per_request(
    client: httpx.AsyncClient, sidecar: AdapterProcess
) -> None:
    body = json.dumps(COMPLETION).encode()
    await client.post("/v1/completions", content=body)
    await client.get("/v1/nowhere")
    sidecar.stop()
    first, second = sidecar.log()
    assert first["path"] == "/v1/completions"
    assert (first["status"], first["items"]) == (200, 1)
    assert first["sha256"] == hashlib.sha256(body).hexdigest()
    assert first["usage"] == {"prompt_tokens": 9, "completion_tokens": 1}
    assert first["latency_ms"] > 0
    assert (second["id"], second["status"], second["error"]) == (2, 404, "Not Found")


async def test_metrics_are_prometheus_text(client: httpx.AsyncClient) -> None:
    await client.post("/v1/completions", json=COMPLETION)
    text = (await client.get("/metrics")).text
    assert 'proctor_adapter_requests_total{status="200"} 1\n' in text
    assert "proctor_adapter_items_done 1\n" in text
    assert 'proctor_adapter_tokens_total{kind="prompt_tokens"} 9\n' in text
    assert "proctor_adapter_request_seconds_count 1\n" in text


async def test_it_leaves_at_once_on_sigterm(
    client: httpx.AsyncClient, sidecar: AdapterProcess
) -> None:
    pending = asyncio.create_task(client.post("/v1/slow", json=COMPLETION))
    await asyncio.sleep(0.3)
    started = time.monotonic()
    assert await asyncio.to_thread(sidecar.stop) == 0
    assert time.monotonic() - started < 5
    with pytest.raises(httpx.RemoteProtocolError):
        await pending
