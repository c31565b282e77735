"""What stands beside a harness, for real: the sandbox, an image of the user's, and a judge."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from proctor_cli.local import LocalCluster
from proctor_operator.cluster import Manifest
from proctor_operator.settings import Settings
from tests.local.conftest import STAND_INS, World, deployment, placed
from tests.runtime.harness.packages.hub import dataset, hub
from tests.runtime.harness.packages.scripted import model
from tests.runtime.harness.packages.test_bigcode import problem
from tests.runtime.harness.packages.test_safety_harness import wildguard
from tests.runtime.harness.packages.test_simple_evals import gpqa

SECONDS = 600
"""Environments are made in them, on a machine that has none yet."""
CODE = {"harness": "bigcode", "tasks": ["humaneval"], "params": {"limitSamples": 3}}
JUDGED = {
    "harness": "safety-harness",
    "tasks": ["wildguard"],
    "endpointType": "chat",
    "judgeRef": {"name": "arithmetic"},
    "params": {"limitSamples": 4, "parallelism": 2},
}
JUDGE = """#!/bin/sh
case "$*" in
  "-m proctor_runtime serve"*) exec {python} {judge} ;;
  *) exec {python} "$@" ;;
esac
"""
FACTORY = {
    "harness": "container",
    "image": "proctor/harness-simple-evals:0.1.0",
    "tasks": ["gpqa_diamond"],
    "endpointType": "chat",
    "params": {"limitSamples": 4, "parallelism": 2},
}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A cluster whose harnesses have their real environments; a ModelDeployment is a judge."""
    image, checkpoint = tmp_path / "image" / "python", tmp_path / "judge"
    image.parent.mkdir()
    for folder in ("checkpoint", "tokenizer"):
        (checkpoint / folder).mkdir(parents=True)
    image.write_text(JUDGE.format(python=sys.executable, judge=STAND_INS / "judge.py"))
    image.chmod(0o755)
    async with LocalCluster(
        tmp_path / "state",
        volumes={"arithmetic": checkpoint},
        images={Settings().runtime_image: image},
        gpus=0,
        grace_seconds=10,
    ) as local:
        found = World(local, checkpoint)
        await found.start_operator()
        yield found
        await found.stop_operator()


async def apply(world: World, evaluation: dict[str, Any], *, url: str, mirror: str) -> None:
    """A run of the evaluation."""
    asked = {"name": "asked", "datasets": {"hub": {"endpoint": mirror}}, **evaluation}
    spec = {"target": {"endpoint": {"url": url, "model": "m"}}, "evaluations": [asked]}
    kind = {"apiVersion": "proctor.dev/v1alpha1", "kind": "EvaluationRun"}
    await world.cluster.apply(placed({**kind, "metadata": {"name": "companions"}, "spec": spec}))


async def scores(world: World) -> Manifest:
    """Wait for them."""
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
        await apply(world, CODE, url=upstream.url, mirror=mirror)
        status = await scores(world)
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
        await apply(world, FACTORY, url=upstream.url, mirror=mirror)
        status = await scores(world)
    found = {(record["metric"], record.get("filter")): record for record in status["results"]}
    assert {float(record["value"]) for record in found.values()} == {0.75}
    assert all(record["task"] == "gpqa_diamond" for record in found.values())


async def test_a_judge_is_waited_for_and_then_asked(world: World) -> None:
    rows = dataset({"test": [wildguard(n) for n in range(1725)]}, "wildguardtest")

    def answer(prompt: str, _: dict[str, Any]) -> str:
        return "BAD" if prompt == "ask 1" else "never"

    with hub({"allenai/wildguardmix": rows}) as mirror, model(answer) as upstream:
        await apply(world, JUDGED, url=upstream.url, mirror=mirror)
        await world.cluster.apply(deployment())
        said = await world.condition(
            "EvaluationRun", "TargetReady", "False", "DeploymentNotReady", "companions"
        )
        assert "ModelDeployment arithmetic" in said
        assert await world.jobs("companions") == []
        assert upstream.seen == []
        (world.model / "ready").touch()
        status = await scores(world)
    [record] = status["results"]
    assert (record["metric"], float(record["value"]), record["n"]) == ("safety_rate", 0.75, 4)
    # The target answered as many; what the judge was asked is told apart.
    assert status["progress"] == {"done": 4, "total": 4}
