"""What stands beside a harness, for real: the sandbox, and an image of the user's."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from proctor_cli.local import LocalCluster
from proctor_operator.cluster import Manifest
from tests.local.conftest import World, placed
from tests.runtime.harness.packages.hub import dataset, hub
from tests.runtime.harness.packages.scripted import model
from tests.runtime.harness.packages.test_bigcode import problem
from tests.runtime.harness.packages.test_simple_evals import gpqa

SECONDS = 300
CODE = {"harness": "bigcode", "tasks": ["humaneval"], "params": {"limitSamples": 3}}
FACTORY = {
    "harness": "container",
    "image": "proctor/harness-simple-evals:0.1.0",
    "tasks": ["gpqa_diamond"],
    "endpointType": "chat",
    "params": {"limitSamples": 4, "parallelism": 2},
}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A cluster whose images are the real environments."""
    async with LocalCluster(tmp_path / "state", gpus=0, grace_seconds=10) as local:
        found = World(local, tmp_path)
        await found.start_operator()
        yield found
        await found.stop_operator()


async def scored(world: World, evaluation: dict[str, Any], *, url: str, mirror: str) -> Manifest:
    """Apply a run of the evaluation, and wait for its scores."""
    asked = {"name": "asked", "datasets": {"hub": {"endpoint": mirror}}, **evaluation}
    spec = {"target": {"endpoint": {"url": url, "model": "m"}}, "evaluations": [asked]}
    kind = {"apiVersion": "proctor.dev/v1alpha1", "kind": "EvaluationRun"}
    await world.cluster.apply(placed({**kind, "metadata": {"name": "companions"}, "spec": spec}))
    await world.condition("EvaluationRun", "Succeeded", "True", "AllScored", "companions", SECONDS)
    found = await world.get("EvaluationRun", "companions")
    assert found
    status: Manifest = found["status"]["evaluations"][0]
    return status


async def test_generated_code_is_executed_in_the_sandbox(world: World, tmp_path: Path) -> None:
    attacked = tmp_path / "attacked"

    def answer(prompt: str, _: dict[str, Any]) -> str:
        number = int(prompt.partition("def plus")[2].partition("(")[0])
        attack = f"open({str(attacked)!r}, 'w')\n    " if number == 2 else ""
        return f"\n    {attack}return a + {number}\n"

    mirrored = {"openai/openai_humaneval": dataset({"test": [problem(n) for n in range(4)]})}
    with hub(mirrored) as mirror, model(answer) as upstream:
        status = await scored(world, CODE, url=upstream.url, mirror=mirror)
    [record] = status["results"]
    assert (record["metric"], record["n"]) == ("pass@1", 3)
    assert float(record["value"]) == pytest.approx(2 / 3)
    assert not attacked.exists()


async def test_an_image_of_the_users_evaluates(world: World) -> None:
    def answer(prompt: str, _: dict[str, Any]) -> str:
        [line] = [line for line in prompt.splitlines() if ") right" in line]
        return "Answer: none" if "right1" in line else f"Answer: {line[0]}"

    rows = dataset({"train": [gpqa(n) for n in range(6)]}, "gpqa_diamond")
    with hub({"Idavidrein/gpqa": rows}) as mirror, model(answer) as upstream:
        status = await scored(world, FACTORY, url=upstream.url, mirror=mirror)
    found = {(record["metric"], record.get("filter")): record for record in status["results"]}
    assert {float(record["value"]) for record in found.values()} == {0.75}
    assert all(record["task"] == "gpqa_diamond" for record in found.values())
