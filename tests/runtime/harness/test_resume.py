"""A process that is killed anywhere goes on where it was."""

import asyncio
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from proctor_harness.adapter.disk import FLUSH_SECONDS
from tests.runtime.harness.model_server import ModelServer
from tests.runtime.harness.processes import AdapterProcess, adapter

ITEMS = 60
CONCURRENCY = 8
WRITING_SECONDS = 1.5
"""That writing to the disk may take, of a flush and of the one before."""
RESUMING = {"MODEL_IDENTITY": "digest-1"}


def item(number: int) -> dict[str, Any]:
    """Every third has a seed; the others are samples, some of them of one prompt."""
    body = {"model": "m", "prompt": f"Q: {number % 40}+1\nA:", "max_tokens": 4, "temperature": 1}
    return body | ({"seed": number} if number % 3 == 0 else {})


async def evaluate(process: AdapterProcess, kill_after: int | None = None) -> dict[int, Any]:
    """Ask every item; of those answered, when and what. Kill the adapter after so many answers."""
    answers: dict[int, Any] = {}
    numbers = iter(range(ITEMS))

    async def worker(client: httpx.AsyncClient) -> None:
        for number in numbers:
            try:
                answer = await client.post("/v1/completions", json=item(number))
            except httpx.HTTPError:
                return
            answers[number] = (time.monotonic(), answer.json())
            if kill_after is not None and len(answers) == kill_after:
                process.process.kill()

    async with httpx.AsyncClient(base_url=process.url, timeout=30) as client:
        await asyncio.gather(*(worker(client) for _ in range(CONCURRENCY)))
    return answers


@pytest.mark.parametrize("kill_after", [1, 7, 23, 48, 59])
async def test_what_was_answered_is_not_asked_again(
    kill_after: int, model: ModelServer, tmp_path: Path
) -> None:
    model.delay_seconds = 0.4
    with adapter(model.url, tmp_path, **RESUMING) as process:
        before = await evaluate(process, kill_after)
        await asyncio.to_thread(process.process.wait, 30)
    assert len(before) >= kill_after
    killed = sorted(at for at, _ in before.values())[kill_after - 1]

    with adapter(model.url, tmp_path, **RESUMING) as process:
        asked = len(model.seen)  # by now also what the dead adapter had sent
        after = await evaluate(process)
        progress = await asyncio.to_thread(process.progress)
        await asyncio.to_thread(process.stop)
    assert len(after) == ITEMS

    # Answers older than a flush interval (and the writes themselves) are on the disk, and are given
    # again, to the byte. Nothing but younger ones is asked again.
    safe = [n for n, (at, _) in before.items() if at < killed - FLUSH_SECONDS - WRITING_SECONDS]
    for number in safe:
        twins = [n for n in range(ITEMS) if item(n) == item(number)]
        assert after[number][1] in [before[n][1] for n in twins if n in before]
    assert progress["cached"] >= len(safe)
    assert len(model.seen) - asked == ITEMS - progress["cached"]


async def test_a_finished_evaluation_is_not_asked_again_at_all(
    model: ModelServer, tmp_path: Path
) -> None:
    runs = []
    for _ in range(2):
        with adapter(model.url, tmp_path, **RESUMING) as process:
            runs.append(await evaluate(process))
            await asyncio.to_thread(process.stop)

    def answers(run: dict[int, Any]) -> list[str]:
        return sorted(str(answer) for _, answer in run.values())

    assert len(model.seen) == ITEMS
    assert answers(runs[0]) == answers(runs[1])


def test_whatever_shards_there_were_their_answers_are_kept(
    model: ModelServer, tmp_path: Path
) -> None:
    """The run was changed, and has fewer now or none: the pods of before have paid for all."""

    def asked(numbers: range, **env: str) -> dict[int, int]:
        with adapter(model.url, tmp_path, **env, **RESUMING) as process:
            url = f"{process.url}/v1/completions"
            ids = {number: httpx.post(url, json=item(number)).json()["id"] for number in numbers}
            process.stop()
        return ids

    shares = [asked(range(shard, 40, 4), SHARD_INDEX=str(shard)) for shard in range(4)]
    assert asked(range(40)) == {number: id_ for share in shares for number, id_ in share.items()}
    assert len(model.seen) == 40


async def test_many_kills_in_a_row_lose_no_more(model: ModelServer, tmp_path: Path) -> None:
    model.delay_seconds = 0.02
    for kill_after in (10, 25, 40, 55):
        with adapter(model.url, tmp_path, **RESUMING) as process:
            await evaluate(process, kill_after)
            await asyncio.to_thread(process.process.wait, 30)
    with adapter(model.url, tmp_path, **RESUMING) as process:
        assert len(await evaluate(process)) == ITEMS
        done = await asyncio.to_thread(process.progress)
    assert done["done"] == ITEMS
    # Each kill may cost what was in flight and what was answered since the last flush; an answer
    # takes 20 ms, so that is at most CONCURRENCY * (0.5 / 0.02 + 1), but no item more than once.
    assert len(model.seen) <= ITEMS * 5


def test_an_adapter_that_restarts_beside_its_harness_repeats_no_sample(
    model: ModelServer, tmp_path: Path
) -> None:
    """Out of memory, say: the sidecar is started anew in the same pod while the harness goes on."""
    answers = []
    for _ in range(3):
        with adapter(model.url, tmp_path, SESSION="pod-uid", **RESUMING) as process:
            answers += [httpx.post(f"{process.url}/v1/completions", json=item(1)).json()["id"]]
            time.sleep(FLUSH_SECONDS + 0.25)
            process.kill()
    assert answers == [1, 2, 3]
