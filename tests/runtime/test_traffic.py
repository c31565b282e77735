"""Load and its end: full queues, large bodies, clients that leave, draining."""

import asyncio
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.client import HTTPConnection
from typing import Any

import httpx
import pytest

from proctor_runtime.engine.batcher import Batcher
from proctor_runtime.engine.fake import CAPACITY, FakeEngine
from proctor_runtime.openai.traffic import Traffic
from tests.runtime.letters import Letters, batcher_of, letters
from tests.runtime.live import live, wait_until

BODY: dict[str, Any] = {"model": "letters", "prompt": "a", "temperature": 0}
LONG = {**BODY, "max_tokens": 400, "ignore_eos": True}


@pytest.fixture
def slow() -> Iterator[Letters]:
    """An engine of 100 tokens a second, that works on one sequence at a time."""
    alone = replace(CAPACITY, sequences=1)
    engine = FakeEngine(max_sequence_length=512, step_seconds=0.01, capacity=alone)
    batcher = batcher_of(engine, waiting=2)
    yield letters(engine, batcher)
    batcher.close()


def running(server: Letters) -> int:
    assert isinstance(server.queue, Batcher)
    stats = server.queue.stats()
    return stats.running + stats.waiting


async def test_a_full_queue_says_when_to_come_back(slow: Letters) -> None:
    async with slow.client() as client:
        first = asyncio.create_task(client.post("/completions", json=LONG))
        await asyncio.to_thread(wait_until, lambda: running(slow) == 1)
        answer = await client.post("/completions", json={**BODY, "prompt": ["a", "b", "c"]})
        first.cancel()
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["error"]["type"] == "rate_limit_error"
    await asyncio.to_thread(wait_until, lambda: running(slow) == 0)


async def test_more_than_could_ever_wait_is_refused_for_good(batcher: Batcher) -> None:
    server = letters(FakeEngine(), batcher)
    async with server.client() as client:
        body = {**BODY, "prompt": ["a"] * 100, "n": 50}
        answer = await client.post("/completions", json=body)
    assert answer.status_code == 400
    assert "5000 choices" in answer.json()["error"]["message"]


async def chunked(size: int) -> Any:
    for _ in range(size // 1000):
        yield b" " * 1000


@pytest.mark.parametrize("content", [b" " * 100_000, None], ids=["stated", "chunked"])
async def test_large_bodies(batcher: Batcher, content: bytes | None) -> None:
    server = letters(FakeEngine(), batcher, body_limit=50_000)
    async with server.client() as client:
        answer = await client.post("/completions", content=content or chunked(100_000))
    assert answer.status_code == 413
    assert "50000 bytes" in answer.json()["error"]["message"]


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "at once"])
def test_a_client_that_leaves_frees_the_engine(slow: Letters, stream: bool) -> None:
    with live(slow) as url, httpx.Client(base_url=url) as client:
        body = {**LONG, "stream": stream}
        if stream:
            with client.stream("POST", "/completions", json=body) as answer:
                lines = answer.iter_lines()
                assert next(lines).startswith("data: ")
                assert running(slow) == 1
        else:
            with pytest.raises(httpx.ReadTimeout):
                client.post("/completions", json=body, timeout=1)
        # It would have taken four seconds.
        wait_until(lambda: running(slow) == 0, seconds=2.5)
        aborted = httpx.get(f"{url.removesuffix('/v1')}/metrics").text
    assert 'finished_reason="abort",model_name="letters"} 1.0' in aborted


def test_a_client_that_leaves_before_its_turn_is_never_served(slow: Letters) -> None:
    with live(slow) as url, httpx.Client(base_url=url) as client:
        with client.stream("POST", "/completions", json={**LONG, "stream": True}) as answer:
            # Kept, for when it is collected the answer is closed.
            lines = answer.iter_lines()
            assert next(lines).startswith("data: ")
            with pytest.raises(httpx.ReadTimeout):
                client.post("/completions", json={**LONG, "stream": True}, timeout=0.5)
            wait_until(lambda: slow.traffic.under_way == 1, seconds=3)
        wait_until(lambda: running(slow) == 0, seconds=3)


def test_an_idle_connection_outlives_a_clients_patience_with_it(slow: Letters) -> None:
    with live(slow) as url:
        connection = HTTPConnection(url.split("/")[2])
        for pause in (0, 6):
            time.sleep(pause)
            connection.request("GET", "/v1/models")
            opened = connection.sock
            assert connection.getresponse().read()
            assert connection.sock is opened is not None
        connection.close()


def test_draining_turns_new_requests_away_and_finishes_the_others(slow: Letters) -> None:
    statuses: list[int] = []
    lengths: list[int] = []

    def ask(url: str) -> None:
        answer = httpx.post(f"{url}/completions", json={**LONG, "max_tokens": 60}, timeout=30)
        statuses.append(answer.status_code)
        lengths.append(answer.json()["usage"]["completion_tokens"])

    with live(slow) as url:
        asking = threading.Thread(target=ask, args=(url,))
        asking.start()
        wait_until(lambda: slow.traffic.under_way == 1)
        slow.traffic.draining = True
        turned_away = httpx.post(f"{url}/completions", json=BODY)
        ready = httpx.get(f"{url}/health/ready")
        alive = httpx.get(f"{url}/health")
        asking.join()
    assert (turned_away.status_code, ready.status_code, alive.status_code) == (503, 503, 200)
    assert "retry-after" in turned_away.headers
    assert turned_away.json()["error"]["type"] == "server_error"
    assert (statuses, lengths) == ([200], [60])


async def test_draining_waits_until_nothing_is_under_way() -> None:
    traffic = Traffic()
    traffic.enter()
    draining = asyncio.create_task(traffic.drain(20))
    await asyncio.sleep(0.05)
    assert not draining.done()
    traffic.leave()
    await asyncio.wait_for(draining, 10)


async def test_draining_does_not_wait_for_ever() -> None:
    traffic = Traffic()
    traffic.enter()
    await asyncio.wait_for(traffic.drain(0.05), 10)
    assert traffic.under_way == 1
