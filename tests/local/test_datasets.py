"""Tasks' files from a bucket, for real: fetched by the pod, evaluated by stock lm-eval."""

import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from proctor_cli.local import LocalCluster
from proctor_operator.settings import Settings
from tests.local.conftest import World, placed
from tests.local.test_sources import PYTHON, s3
from tests.runtime.harness.packages.scripted import model

__all__ = ["s3"]
TASKS = Path("demo/arithmetic/tasks")
SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "bucket", "namespace": "default"},
    "stringData": {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret"},
}
SECONDS = 300


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A cluster whose images are this very interpreter."""
    python = tmp_path / "image" / "python"
    python.parent.mkdir()
    path = os.environ.get("PYTHONPATH", "")
    python.write_text(PYTHON.format(python=sys.executable, path=path))
    python.chmod(0o755)
    settings = Settings()
    images = dict.fromkeys((settings.runtime_image, settings.harness_images["lm-eval"]), python)
    async with LocalCluster(tmp_path / "state", images=images, gpus=0, grace_seconds=10) as local:
        found = World(local, tmp_path)
        await found.start_operator()
        yield found
        await found.stop_operator()


def upload(address: str) -> None:
    session = boto3.Session("id", "secret", region_name="us-east-1")
    client: Any = session.client("s3", endpoint_url=address)
    client.create_bucket(Bucket="tasks")
    for path in TASKS.iterdir():
        client.upload_file(str(path), "tasks", f"kept/arithmetic/{path.name}")


def run(address: str, url: str) -> dict[str, Any]:
    source = {"uri": "s3://tasks/kept", "path": "arithmetic", "endpoint": address}
    evaluation = {
        "name": "sums",
        "harness": "lm-eval",
        "tasks": ["arithmetic_gen"],
        "datasets": {"s3": source | {"secretRef": {"name": "bucket"}}},
        "params": {"limitSamples": 3, "extra": {"tokenizerBackend": "none"}},
    }
    spec = {"target": {"endpoint": {"url": url, "model": "m"}}, "evaluations": [evaluation]}
    kind = {"apiVersion": "proctor.dev/v1alpha1", "kind": "EvaluationRun"}
    return placed({**kind, "metadata": {"name": "sums"}, "spec": spec})


async def test_a_bucket_s_tasks_are_evaluated(world: World, s3: str) -> None:
    upload(s3)

    def answer(prompt: str, _: dict[str, Any]) -> str:
        left, _, right = prompt.rpartition("\n")[2].strip().removesuffix("=").partition("+")
        return str(int(left) + int(right))

    with model(answer) as upstream:
        await world.cluster.apply(SECRET)
        await world.cluster.apply(run(s3, upstream.url))
        await world.condition("EvaluationRun", "Succeeded", "True", "AllScored", "sums", SECONDS)
    found = await world.get("EvaluationRun", "sums")
    assert found
    [record] = found["status"]["evaluations"][0]["results"]
    assert (record["task"], float(record["value"]), record["n"]) == ("arithmetic_gen", 1.0, 3)
    assert len(upstream.seen) == 3, json.dumps(upstream.seen)
