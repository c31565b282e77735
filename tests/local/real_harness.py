"""A run of stock lm-eval, its driver and its adapter, against a model that counts."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from proctor_cli.local import LocalCluster
from proctor_cli.local_run import SETTINGS, controlled
from proctor_crds.kinds import EVALUATION_RUN
from proctor_operator.cluster import Manifest, Ref
from proctor_operator.settings import Settings
from tests.local.cluster.processes import in_whose_environment

TASKS = Path(__file__).parents[1] / "runtime/harness/tasks"
IMAGE = """#!/bin/sh
export PYTHONPATH={path}
export HF_HUB_OFFLINE=1
exec {python} "$@"
"""


class Seen(list[Any]):
    """The requests that a model got, with when."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    def append(self, body: Any) -> None:
        """Note one more."""
        super().append(body)
        self.times.append(time.monotonic())

    def questions(self) -> list[str]:
        """What was asked, in order."""
        return [json.dumps(body, sort_keys=True) for body in self]


def write_tasks(folder: Path, sums: int, texts: int) -> None:
    """The tasks of the adapter's tests, with more samples."""
    folder.mkdir()
    for definition in TASKS.glob("*.yaml"):
        (folder / definition.name).write_text(definition.read_text())
    pairs = [(n, n + 1) for n in range(sums)]
    choices = [[str(a + b), str(a + b + 1), str(a)] for a, b in pairs]
    rows = {
        # Every fifth has another target than the model says, so that scores are not 0 or 1.
        "sum_gen": [{"q": f"{a}+{b}", "a": str(a + b + (a % 5 == 4))} for a, b in pairs],
        "sum_mc": [
            {"q": f"{a}+{b}", "choices": c, "answer": a % 3}
            for (a, b), c in zip(pairs, choices, strict=True)
        ],
        "text_ppl": [{"text": f"the sum of {n} and {n} is {2 * n}."} for n in range(texts)],
    }
    for name, lines in rows.items():
        content = "\n".join(map(json.dumps, lines))
        (folder / f"{name}.jsonl").write_text(content + "\n")


@asynccontextmanager
async def cluster(
    tmp_path: Path, volumes: dict[str, Path], settings: Settings = SETTINGS
) -> AsyncIterator[LocalCluster]:
    """A cluster of processes with an operator, whose images are this interpreter."""
    python = tmp_path / "image" / "python"
    python.parent.mkdir()
    python.write_text(IMAGE.format(path=os.environ.get("PYTHONPATH", ""), python=sys.executable))
    python.chmod(0o755)
    settings = Settings()
    images = dict.fromkeys((settings.harness_images["lm-eval"], settings.runtime_image), python)
    async with (
        LocalCluster(
            tmp_path / "state", volumes=volumes, images=images, gpus=0, backoff_seconds=0.02
        ) as local,
        controlled(local, settings),
    ):
        yield local


def run(name: str, url: str, **evaluation: Any) -> Manifest:
    """An EvaluationRun of the tasks against a model at `url`; its artifacts are kept."""
    params = {"parallelism": 4, "maxRetries": 5, "temperature": "0"}
    given = {
        "name": "sums",
        "harness": "lm-eval",
        "tasks": ["sums", "sum_gen"],
        "params": params,
        "datasets": {"pvc": {"claimName": "tasks"}},
        **evaluation,
    }
    spec = {
        "target": {"endpoint": {"url": url, "model": "m"}},
        "evaluations": [given],
        "artifacts": {"pvc": {"claimName": "artifacts"}},
        "retry": {"limit": 100},
    }
    return EVALUATION_RUN.manifest(name, "default", spec=spec)


async def outcome(local: LocalCluster, name: str, seconds: float = 3600) -> Manifest:
    """The run's only evaluation, once it has ended."""
    [evaluation] = (await ended(local, name, seconds))["evaluations"]
    return dict(evaluation)


async def ended(local: LocalCluster, name: str, seconds: float = 3600) -> Manifest:
    """The run's status, once every evaluation has ended."""
    async with asyncio.timeout(seconds):
        while True:
            found = await local.get(Ref("proctor.dev/v1alpha1", "EvaluationRun", "default", name))
            status: Manifest = (found or {}).get("status", {})
            if "completionTime" in status:
                return status
            await asyncio.sleep(0.05)


def processes(state: Path, container: str) -> set[int]:
    """Those of a container in any pod, without what holds them on the cluster's behalf."""
    found = in_whose_environment(f"TERMINATION_MESSAGE_PATH={state / 'pods'}")
    return {pid for pid in found if is_of(pid, state, container)}


def is_of(pid: int, state: Path, container: str) -> bool:
    """Whether a process belongs to the container."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        variables = Path(f"/proc/{pid}/environ").read_text().split("\0")
    except OSError:
        return False
    [path] = [v for v in variables if v.startswith("TERMINATION_MESSAGE_PATH=")] or [""]
    within = Path(path.partition("=")[2])
    named = within.is_relative_to(state) and container in within.relative_to(state).parts
    return named and not any(word.endswith("shim.py") for word in words)
