"""An evaluation that is killed at any moment goes on where it was, and comes to the same scores."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import cycle
from pathlib import Path

import pytest

from proctor_cli.local import LocalCluster
from proctor_harness.adapter.disk import FLUSH_SECONDS
from tests.local.real_harness import Seen, cluster, outcome, processes, run, write_tasks
from tests.runtime.harness.model_server import ModelServer, serving

SUMS, TEXTS = 45, 20
ITEMS = SUMS * 3 + TEXTS + SUMS
DELAY_SECONDS = 0.05
KILLS = 20
VICTIMS = (("adapter",), ("harness",), ("adapter",), ("harness", "adapter"), ("adapter",))
SLACK_SECONDS = 1.5
"""Of the answer itself, and two flushes: what comes during one waits for the next."""


@pytest.fixture
def model() -> Iterator[ModelServer]:
    with serving(ModelServer(seen=Seen(), delay_seconds=DELAY_SECONDS)) as state:
        yield state


def seen(model: ModelServer) -> Seen:
    assert isinstance(model.seen, Seen)
    return model.seen


async def kill_at_each_point(model: ModelServer, state: Path, kills: list[float]) -> None:
    """SIGKILL somebody whenever another twentieth of the questions has been asked."""
    victims = cycle(VICTIMS)
    for point in range(KILLS):
        while len(set(seen(model).questions())) < point * ITEMS // (KILLS - 1):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        chosen = next(victims)
        while not all(processes(state, name) for name in chosen):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        for pid in {pid for name in chosen for pid in processes(state, name)}:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        kills.append(time.monotonic())


def asked_again_in_vain(model: ModelServer, kills: list[float]) -> list[str]:
    """Questions that were asked again though their answer had had the time to be stored."""
    asked: dict[str, float] = {}
    vain = []
    for question, at in zip(seen(model).questions(), seen(model).times, strict=True):
        if question in asked:
            stored = asked[question] + DELAY_SECONDS + FLUSH_SECONDS + SLACK_SECONDS
            if not any(asked[question] < kill < stored for kill in kills):
                vain.append(question)
        asked[question] = at
    return vain


async def scores(local: LocalCluster, name: str) -> object:
    ended = await outcome(local, name)
    assert "failure" not in ended, ended["failure"]
    assert ended["progress"] == {"done": ITEMS, "total": ITEMS}
    return ended["results"]


async def test_twenty_kills_cost_a_flush_interval_each_and_change_no_score(
    model: ModelServer, tmp_path: Path
) -> None:
    write_tasks(tmp_path / "tasks", SUMS, TEXTS)
    (tmp_path / "artifacts").mkdir()
    volumes = {"tasks": tmp_path / "tasks", "artifacts": tmp_path / "artifacts"}
    kills: list[float] = []
    async with cluster(tmp_path, volumes) as local:
        await local.apply(run("undisturbed", model.url))
        expected = await scores(local, "undisturbed")
        assert len(seen(model)) == ITEMS

        model.seen = Seen()
        await local.apply(run("killed", model.url))
        killer = asyncio.create_task(kill_at_each_point(model, tmp_path / "state", kills))
        found = await scores(local, "killed")
        await killer
    assert found == expected
    assert len(kills) == KILLS
    assert len(set(seen(model).questions())) == ITEMS
    assert asked_again_in_vain(model, kills) == []
