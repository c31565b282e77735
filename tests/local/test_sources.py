"""A model that its pod fetches, for real: S3, the runtime's own processes, Triton."""

import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
import yaml

from proctor_cli.local import LocalCluster
from proctor_operator.cluster import Manifest
from proctor_operator.settings import Settings
from proctor_runtime.checkpoints import megatron
from tests.local.conftest import World, placed
from tests.s3 import s3_server

NAME = "arithmetic-from-s3"
DEMO = Path("demo/arithmetic")
START_SECONDS = 240
PYTHON = """#!/bin/sh
PYTHONPATH='{path}' exec {python} "$@"
"""


@pytest.fixture
def s3() -> Iterator[str]:
    with s3_server() as url:
        yield url


def upload(s3: str) -> None:
    session = boto3.Session("id", "secret", region_name="us-east-1")
    client: Any = session.client("s3", endpoint_url=s3)
    client.create_bucket(Bucket="models")
    for part in ("checkpoint", "tokenizer"):
        for path in (DEMO / part).rglob("*"):
            if path.is_file():
                client.upload_file(str(path), "models", f"arithmetic/{path.relative_to(DEMO)}")


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[World]:
    """A cluster whose runtime image is this very interpreter."""
    python = tmp_path / "image" / "python"
    python.parent.mkdir()
    path = os.environ.get("PYTHONPATH", "")
    python.write_text(PYTHON.format(python=sys.executable, path=path))
    python.chmod(0o755)
    images = {Settings().runtime_image: python}
    async with LocalCluster(
        tmp_path / "state", images=images, gpus=0, backoff_seconds=0.5, grace_seconds=10
    ) as local:
        world = World(local, DEMO)
        await world.start_operator()
        yield world
        await world.stop_operator()


def example(s3: str) -> list[Manifest]:
    """The example's Secret and deployment, at this server."""
    text = Path("examples/sources/s3.yaml").read_text()
    assert "http://minio.minio:9000" in text
    documents = yaml.safe_load_all(text.replace("http://minio.minio:9000", s3))
    return [placed(document) for document in documents]


async def test_a_pod_waits_for_its_model_fetches_it_and_serves_it(cluster: World, s3: str) -> None:
    for manifest in reversed(example(s3)):
        await cluster.cluster.apply(manifest)
    said = await cluster.condition(
        "ModelDeployment", "Ready", "False", "CheckpointNotFound", NAME, START_SECONDS
    )
    assert "s3://models/arithmetic does not exist (NoSuchBucket)" in said
    upload(s3)
    await cluster.condition(
        "ModelDeployment", "Ready", "True", "AllReplicasReady", NAME, START_SECONDS
    )
    found = await cluster.get("ModelDeployment", NAME)
    assert found
    assert found["status"]["checkpointDigest"] == megatron.digest(DEMO / "checkpoint")
    url = cluster.cluster.service_url("default", NAME, 8080)
    body = {"model": "arithmetic", "prompt": "37+73=", "max_tokens": 4, "temperature": 0}
    async with httpx.AsyncClient(timeout=60) as client:
        answer = await client.post(f"{url}/v1/completions", json=body)
    assert answer.json()["choices"][0]["text"].strip().isdigit()
