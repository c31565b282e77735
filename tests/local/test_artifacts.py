"""Artifacts in a bucket, for real: stock lm-eval, the runtime's processes, an S3 server."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from proctor_cli.local import LocalCluster
from proctor_operator.cluster import Manifest, Ref
from tests.local.real_harness import Seen, cluster, outcome, run, write_tasks
from tests.local.test_sources import s3
from tests.runtime.harness.model_server import ModelServer, serving

__all__ = ["s3"]
SUMS, TEXTS = 8, 2
SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "bucket", "namespace": "default"},
    "stringData": {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret"},
}


@pytest.fixture
def bucket(s3: str) -> Iterator[Any]:
    """A bucket to write to."""
    session = boto3.Session("id", "secret", region_name="us-east-1")
    client: Any = session.client("s3", endpoint_url=s3)
    client.create_bucket(Bucket="kept")
    yield client
    client.close()


def objects(client: Any) -> dict[str, bytes]:
    """All that it holds."""
    found = client.list_objects_v2(Bucket="kept").get("Contents", [])
    return {
        each["Key"]: client.get_object(Bucket="kept", Key=each["Key"])["Body"].read()
        for each in found
    }


def kept_run(name: str, url: str, s3: str, uri: str = "s3://kept/runs", **given: Any) -> Manifest:
    """A run of one task whose artifacts go to the bucket."""
    params = {"parallelism": 1, "temperature": "0"}
    manifest = run(name, url, tasks=["sum_gen"], params=params, **given)
    kept = {"uri": uri, "path": "ours", "endpoint": s3, "secretRef": {"name": "bucket"}}
    manifest["spec"] |= {"artifacts": {"s3": kept}, "retry": {"limit": 4}}
    return manifest


def prepare(tmp_path: Path) -> dict[str, Path]:
    write_tasks(tmp_path / "tasks", SUMS, TEXTS)
    return {"tasks": tmp_path / "tasks"}


async def pods(local: LocalCluster) -> list[Manifest]:
    return await local.list("v1", "Pod", "default", {"proctor.dev/evaluation": "sums"})


async def test_a_drained_pod_s_successor_asks_only_what_is_missing(
    tmp_path: Path, s3: str, bucket: Any
) -> None:
    with serving(ModelServer(delay_seconds=0.5)) as model:
        model.seen = Seen()
        async with cluster(tmp_path, prepare(tmp_path)) as local:
            await local.apply(SECRET)
            await local.apply(kept_run("shared", model.url, s3, shards=2))
            async with asyncio.timeout(200):
                while len(model.seen) < 2:  # noqa: ASYNC110  the model tells nobody
                    await asyncio.sleep(0.02)
            for pod in await pods(local):
                await local.delete(Ref.of(pod))
            ended = await outcome(local, "shared", 400)
            kept = await local.get(
                Ref("proctor.dev/v1alpha1", "EvaluationRun", "default", "shared")
            )
    assert kept
    assert "failure" not in ended, ended["failure"]
    asked = model.seen.questions()
    # What was under way in both pods is asked twice.
    assert len(set(asked)) == SUMS
    assert len(asked) <= SUMS + 2
    assert ended["progress"]["done"] == SUMS
    found = objects(bucket)
    folder = f"runs/ours/shared/{kept['metadata']['uid']}/sums/"
    assert all(key.startswith(folder) for key in found)
    names = {key.removeprefix(folder) for key in found}
    shares = {f"shards/{index}/cache/answers.jsonl" for index in range(2)}
    assert shares | {"items.jsonl", "requests.jsonl", "cache/answers.jsonl"} <= names
    assert any(name.startswith("lm-eval/") for name in names)
    assert json.loads(found[f"{folder}results.json"])["results"] == ended["results"]
    answers = found[f"{folder}cache/answers.jsonl"].splitlines()
    assert len({json.loads(line)["key"] for line in answers if line}) == SUMS
    assert not any(name.endswith((".new", ".writable")) for name in names)


async def test_a_bucket_that_is_not_there_costs_no_harness_time(tmp_path: Path, s3: str) -> None:
    with serving(ModelServer()) as model:
        model.seen = Seen()
        async with cluster(tmp_path, prepare(tmp_path)) as local:
            await local.apply(SECRET)
            await local.apply(kept_run("lost", model.url, s3, uri="s3://nowhere"))
            ended = await outcome(local, "lost", 60)
            found = await local.get(Ref("proctor.dev/v1alpha1", "EvaluationRun", "default", "lost"))
            [pod] = await pods(local)
    assert ended["failure"]["reason"] == "ArtifactsRefused"
    assert "s3://nowhere/ours/lost/" in ended["failure"]["message"]
    assert "does not exist (NoSuchBucket)" in ended["failure"]["message"]
    assert found
    conditions = {each["type"]: each for each in found["status"]["conditions"]}
    preflight = conditions["Preflight"]
    assert (preflight["status"], preflight["reason"]) == ("False", "ArtifactsRefused")
    assert not model.seen
    assert all("running" not in s["state"] for s in pod["status"]["containerStatuses"])
