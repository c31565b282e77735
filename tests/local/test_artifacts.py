"""Artifacts in a bucket, for real: stock lm-eval, the runtime's processes, an S3 server."""

import asyncio
import base64
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
RUN_VERSION = "proctor.dev/v1alpha1"
S3_ID = "AKIACANARY51F0D2"
S3_SECRET = "s3-canary-9b1e77c05d"
API_KEY = "sk-canary-4f2a9c1e7b"
SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "bucket", "namespace": "default"},
    "stringData": {"AWS_ACCESS_KEY_ID": S3_ID, "AWS_SECRET_ACCESS_KEY": S3_SECRET},
}
KEY = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "key", "namespace": "default"},
    "stringData": {"token": API_KEY},
}
TELLING = {
    "log_failed_requests": True,
    "interceptors": [
        {"name": "request_logging", "config": {"log_request_headers": True}},
        {"name": "response_logging", "config": {"log_response_headers": True}},
        {"name": "logging"},
        {"name": "http_pairs_dump", "config": {"dump_path": "pairs.json"}},
        {"name": "caching", "config": {"save_requests": True, "reuse_cached_responses": True}},
        {"name": "endpoint"},
        {"name": "response_stats"},
        {"name": "log_tokens"},
    ],
    "post_eval_hooks": [{"name": "post_eval_report", "config": {"report_types": ["html", "json"]}}],
}
"""An adapter that writes down all that it can."""


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
    manifest["spec"] |= {"artifacts": {"s3": kept}, "retry": {"limit": 4}, "adapter": TELLING}
    manifest["spec"]["target"]["endpoint"]["apiKeySecretRef"] = {"name": "key", "key": "token"}
    return manifest


def prepare(tmp_path: Path) -> dict[str, Path]:
    write_tasks(tmp_path / "tasks", SUMS, TEXTS)
    return {"tasks": tmp_path / "tasks"}


async def pods(local: LocalCluster) -> list[Manifest]:
    return await local.list("v1", "Pod", "default", {"proctor.dev/evaluation": "sums"})


async def told(local: LocalCluster) -> str:
    """What the cluster tells of every object, but of Secrets themselves."""
    kinds = {"Pod": "v1", "Event": "v1", "Job": "batch/v1", "EvaluationRun": RUN_VERSION}
    found = [await local.list(version, kind, "default", {}) for kind, version in kinds.items()]
    assert all(found), found
    return json.dumps(found)


def written(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def no_secret_in(**places: bytes) -> None:
    """The canaries are in none of them; a key's id is no secret."""
    for name, content in places.items():
        for canary in (API_KEY, S3_SECRET):
            encoded = base64.b64encode(canary.encode())
            assert canary.encode() not in content, name
            assert encoded not in content, name


async def test_a_drained_pod_s_successor_asks_only_what_is_missing_and_no_key_is_anywhere(
    tmp_path: Path, s3: str, bucket: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    with serving(ModelServer(delay_seconds=0.5)) as model:
        model.seen = Seen()
        async with cluster(tmp_path, prepare(tmp_path)) as local:
            await local.apply(SECRET)
            await local.apply(KEY)
            await local.apply(kept_run("shared", model.url, s3, shards=2))
            async with asyncio.timeout(400):
                while len(model.seen) < 2:  # noqa: ASYNC110  the model tells nobody
                    await asyncio.sleep(0.02)
            for pod in await pods(local):
                await local.delete(Ref.of(pod))
            ended = await outcome(local, "shared", 400)
            kept = await local.get(Ref(RUN_VERSION, "EvaluationRun", "default", "shared"))
            said = await told(local)
            files = await asyncio.to_thread(written, tmp_path)
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
    assert {"pairs.json", "report.html", "report.json"} <= names
    assert {headers["authorization"] for headers in model.headers} == {f"Bearer {API_KEY}"}
    assert any(name.endswith(".log") for name in files), files.keys()
    no_secret_in(**files, **found, said=said.encode(), logs=caplog.text.encode())


async def test_a_bucket_that_is_not_there_costs_no_harness_time(tmp_path: Path, s3: str) -> None:
    with serving(ModelServer()) as model:
        model.seen = Seen()
        async with cluster(tmp_path, prepare(tmp_path)) as local:
            await local.apply(SECRET)
            await local.apply(KEY)
            await local.apply(kept_run("lost", model.url, s3, uri="s3://nowhere"))
            ended = await outcome(local, "lost", 400)
            found = await local.get(Ref(RUN_VERSION, "EvaluationRun", "default", "lost"))
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
