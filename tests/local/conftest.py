"""The operator's reconcile over a LocalCluster whose images are stand-ins."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from proctor_cli.local import LocalCluster
from proctor_cli.local_run import controlled
from proctor_operator.cluster import Manifest, Ref
from proctor_operator.settings import Settings
from tests import examples

STAND_INS = Path(__file__).parent / "stand_ins"
PYTHON = """#!/bin/sh
case "$*" in
  "-m proctor_runtime serve"*) exec {python} {here}/server.py ;;
  "-m proctor_harness run") exec {python} {here}/harness.py ;;
  *) exec {python} "$@" ;;
esac
"""


@dataclass
class World:
    """A cluster, its control loop, and the words of a test about them."""

    cluster: LocalCluster
    model: Path
    control: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def start_operator(self) -> None:
        """Begin to reconcile, from nothing but what the cluster holds."""
        await self.control.enter_async_context(controlled(self.cluster))

    async def stop_operator(self) -> None:
        """Stop wherever it is."""
        await self.control.aclose()

    async def get(self, kind: str, name: str = "arithmetic") -> Manifest | None:
        """One object."""
        versions = {"Job": "batch/v1", "Deployment": "apps/v1", "Service": "v1"}
        version = versions.get(kind, "proctor.dev/v1alpha1")
        return await self.cluster.get(Ref(version, kind, "default", name))

    async def jobs(self, run: str = "arithmetic") -> list[Manifest]:
        """The run's Jobs."""
        labels = {"proctor.dev/run": run}
        return await self.cluster.list("batch/v1", "Job", "default", labels)

    async def condition(
        self,
        kind: str,
        type_: str,
        status: str,
        reason: str,
        name: str = "arithmetic",
        seconds: float = 180,
    ) -> str:
        """Wait until the condition reads so; returns its message."""
        seen: Any = None

        async def so() -> str | None:
            nonlocal seen
            found = (await self.get(kind, name) or {}).get("status", {}).get("conditions", [])
            seen = next((c for c in found if c["type"] == type_), None)
            same = seen and (seen["status"], seen["reason"]) == (status, reason)
            return seen["message"] if same else None

        try:
            return str(await eventually(so, seconds))
        except TimeoutError:
            raise AssertionError(f"{name} {type_}: wanted {status} {reason}, is {seen}") from None


async def eventually(probe: Callable[[], Any], seconds: float = 180) -> Any:
    """The first truthy answer of an asynchronous `probe`."""
    async with asyncio.timeout(seconds):
        while not (found := await probe()):  # noqa: ASYNC110  the probe asks, nobody tells
            await asyncio.sleep(0.02)
    return found


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A running operator on an empty cluster."""
    python = tmp_path / "image" / "python"
    python.parent.mkdir()
    python.write_text(PYTHON.format(python=sys.executable, here=STAND_INS))
    python.chmod(0o755)
    model = tmp_path / "model"
    for folder in ("checkpoint", "tokenizer", "tasks"):
        (model / folder).mkdir(parents=True)
    settings = Settings()
    images = {settings.runtime_image: python, settings.harness_images["lm-eval"]: python}
    async with LocalCluster(
        tmp_path / "state",
        volumes={"arithmetic": model},
        images=images,
        gpus=0,
        backoff_seconds=0.2,
        grace_seconds=2,
    ) as cluster:
        world = World(cluster, model)
        await world.start_operator()
        yield world
        await world.stop_operator()


def deployment(name: str = "arithmetic", **spec: Any) -> Manifest:
    """The example's deployment, changed."""
    return placed(examples.deployment(name, **spec))


def run(name: str = "arithmetic", extra: dict[str, str] | None = None, **spec: Any) -> Manifest:
    """The example's run without its gate, changed; `extra` tells the stand-in what to do."""
    manifest = placed(examples.run(name, **{"gate": None, **spec}))
    if extra:
        manifest["spec"]["evaluations"][0]["params"]["extra"] = extra
    return manifest


def placed(manifest: Manifest) -> Manifest:
    """The manifest in the namespace that a cluster of processes has."""
    return {**manifest, "metadata": {**manifest["metadata"], "namespace": "default"}}
