"""S3, against moto's server."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest

from proctor_crds.wire import EXIT_REJECTED, EXIT_RETRYABLE
from tests.runtime.sources.conftest import LARGE, Fetch, contents
from tests.runtime.sources.servers import gate
from tests.s3 import s3_server

KEYS = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret"}
WORKERS = 8
LOCATION = "--location=s3://models/deep/tiny"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with s3_server() as url:
        yield url


@pytest.fixture(scope="module")
def client(server: str) -> Any:
    session = boto3.Session("id", "secret", region_name="us-east-1")
    return session.client("s3", endpoint_url=server)


@pytest.fixture(scope="module", autouse=True)
def bucket(client: Any, model: Path) -> None:
    client.create_bucket(Bucket="models")
    for path in model.rglob("*"):
        if path.is_file():
            key = f"deep/tiny/{path.relative_to(model)}"
            client.upload_file(str(path), "models", key)
    client.put_object(Bucket="models", Key="deep/tiny/tokenizer/", Body=b"")
    client.put_object(Bucket="models", Key="deep/tiny-2/other", Body=b"another model's")


@pytest.fixture
def s3(fetch: Callable[..., Fetch]) -> Callable[..., Fetch]:
    def begin(endpoint: str, location: str = LOCATION, **environment: str) -> Fetch:
        place = (location, f"--endpoint={endpoint}")
        return fetch("--source=s3", *place, **{**KEYS, **environment})

    return begin


def test_a_prefix_becomes_the_model(s3: Callable[..., Fetch], server: str, model: Path) -> None:
    done = s3(server)
    assert done.end() == 0, done.log
    assert contents(done.root) == contents(model)


def test_a_restarted_pod_asks_for_nothing_again(s3: Callable[..., Fetch], server: str) -> None:
    assert s3(server).end() == 0
    with gate(server) as way:
        again = s3(way.url)
        assert again.end() == 0
    assert way.passed < 50_000
    assert "is there already" in again.log


def test_a_killed_process_goes_on_where_it_was(
    s3: Callable[..., Fetch], server: str, model: Path
) -> None:
    with gate(server, limit=LARGE // 2) as way:
        first = s3(way.url)
        assert way.shut.wait(60)
        first.process.kill()
        first.end()
    with gate(server) as rest:
        done = s3(rest.url)
        assert done.end() == 0, done.log
    assert contents(done.root) == contents(model)
    lost = WORKERS << 20
    assert way.passed + rest.passed < LARGE + lost + (1 << 20)
    assert rest.passed < LARGE


def test_a_changed_object_is_fetched_anew(
    s3: Callable[..., Fetch], server: str, client: Any, model: Path
) -> None:
    location = "--location=s3://models/changing"
    client.put_object(Bucket="models", Key="changing/config.json", Body=b"old")
    assert s3(server, location).end() == 0
    client.put_object(Bucket="models", Key="changing/config.json", Body=b"new")
    done = s3(server, location)
    assert done.end() == 0
    assert (done.root / "config.json").read_bytes() == b"new"


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("s3://nowhere/x", "does not exist (NoSuchBucket)"),
        ("s3://models/nothing", "s3://models/nothing/ holds no objects"),
        ("s3://Not_A_Bucket/x", "s3://Not_A_Bucket/x"),
    ],
)
def test_what_is_not_there_is_told(
    s3: Callable[..., Fetch], server: str, location: str, words: str
) -> None:
    done = s3(server, f"--location={location}")
    assert done.end() == EXIT_REJECTED, done.log
    failure = done.failure()
    assert (failure.reason, words in failure.message) == ("CheckpointNotFound", True), failure


def test_a_server_that_is_down_is_worth_another_try(s3: Callable[..., Fetch]) -> None:
    done = s3("http://127.0.0.1:9")
    assert done.end() == EXIT_RETRYABLE, done.log
    assert done.failure().reason == "SourceUnreachable"


def test_secrets_are_in_no_log(s3: Callable[..., Fetch], server: str) -> None:
    done = s3(server, AWS_SECRET_ACCESS_KEY="hush-hush")
    assert done.end() == 0
    assert "hush" not in done.log


def test_a_wrong_key_is_told(s3: Callable[..., Fetch], server: str) -> None:
    # moto judges no key until it is told to, and then knows none.
    httpx.post(f"{server}/moto-api/reset-auth", content="0").raise_for_status()
    try:
        done = s3(server)
        assert done.end() == EXIT_REJECTED, done.log
    finally:
        httpx.post(f"{server}/moto-api/reset-auth", content="Infinity").raise_for_status()
    failure = done.failure()
    assert (failure.reason, "Secret" in failure.message) == ("SourceDenied", True), failure
