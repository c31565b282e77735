"""Artifacts in a bucket, against moto's server: the pod's two containers as processes."""

import errno
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import boto3
import httpx
import pytest

from proctor_crds.wire import EXIT_REJECTED, EXIT_RETRYABLE, Failure
from proctor_runtime.artifacts.bucket import Bucket
from proctor_runtime.artifacts.mirror import Mirror
from proctor_runtime.artifacts.resume import resume
from tests.runtime.harness.processes import free_port
from tests.s3 import s3_server

KEYS = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "hush-hush-secret"}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with s3_server() as url:
        yield url


@pytest.fixture
def client(server: str) -> Iterator[Any]:
    """A client, and an empty bucket."""
    session = boto3.Session("id", "secret", region_name="us-east-1")
    made = session.client("s3", endpoint_url=server)
    made.create_bucket(Bucket="kept")
    yield made
    for each in made.list_objects_v2(Bucket="kept").get("Contents", []):
        made.delete_object(Bucket="kept", Key=each["Key"])
    made.close()


@pytest.fixture
def bucket(server: str, client: Any, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    return Bucket("s3://kept/runs/r", server)


def contents(client: Any) -> dict[str, bytes]:
    found = client.list_objects_v2(Bucket="kept").get("Contents", [])
    return {
        each["Key"].removeprefix("runs/r/"): client.get_object(Bucket="kept", Key=each["Key"])[
            "Body"
        ].read()
        for each in found
    }


def times(client: Any) -> dict[str, Any]:
    found = client.list_objects_v2(Bucket="kept").get("Contents", [])
    return {each["Key"].removeprefix("runs/r/"): each["LastModified"] for each in found}


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        place = folder / name.replace("__", "/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)


def test_a_folder_is_kept_as_it_is_and_fetched_as_it_was(
    bucket: Bucket, client: Any, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    write(first, cache__answers="one\n", old__report="x", empty="")
    mirror = Mirror(bucket, first)
    mirror.store()
    write(first, cache__answers="one\ntwo\n", results="{}")
    (first / "old" / "report").unlink()
    mirror.store()
    kept = {"cache/answers": b"one\ntwo\n", "results": b"{}", "empty": b""}
    assert contents(client) == kept

    second.mkdir()
    resume(bucket, second)
    assert {p: (second / p).read_bytes() for p in kept} == kept
    before = times(client)
    time.sleep(1.1)  # servers tell the time of an object in seconds
    (second / "results").write_text("[]")
    Mirror(bucket, second).store()
    after = times(client)
    assert contents(client) == kept | {"results": b"[]"}
    assert {path for path in kept if after[path] != before[path]} == {"results"}


def test_no_link_leads_out_of_the_folder(bucket: Bucket, client: Any, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    write(tmp_path, outside__secret="hush")
    write(folder, kept="k")
    (folder / "file").symlink_to(tmp_path / "outside" / "secret")
    (folder / "directory").symlink_to(tmp_path / "outside")
    (folder / "environ").symlink_to("/proc/self/environ")
    os.mkfifo(folder / "pipe")
    Mirror(bucket, folder).store()
    assert contents(client) == {"kept": b"k"}


def test_a_name_that_is_no_text_is_told_and_the_rest_is_kept(
    server: str, client: Any, tmp_path: Path
) -> None:
    begun = Command("keep", tmp_path, server)
    try:
        assert begun.store().status_code == 200
        write(begun.folder, results="{}", ünïcode="u")
        (begun.folder / os.fsdecode(b"caf\xe9")).write_text("c")
        (begun.folder / os.fsdecode(b"\xff")).mkdir()
        (begun.folder / os.fsdecode(b"\xff") / "inside").write_text("i")
        assert begun.store().status_code == 200
        write(begun.folder, report="r")
        assert begun.store().status_code == 200
    finally:
        begun.process.terminate()
        assert begun.end() == 0, begun.log
    assert contents(client) == {"results": b"{}", "ünïcode": b"u", "report": b"r"}
    for name in ("'caf\\udce9'", "'\\udcff/inside'"):
        assert begun.log.count(f"{name} is not stored: its name is not UTF-8") == 1


def test_what_cannot_be_read_is_not_taken_for_gone(
    bucket: Bucket, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, answers="one")
    mirror = Mirror(bucket, tmp_path)
    mirror.store()
    monkeypatch.setattr(os, "open", Mock(side_effect=OSError(errno.EMFILE, "too many")))
    with pytest.raises(OSError, match="too many"):
        mirror.store()
    monkeypatch.undo()
    assert contents(client) == {"answers": b"one"}


def test_what_another_pod_stored_meanwhile_stays(
    bucket: Bucket, client: Any, tmp_path: Path
) -> None:
    client.put_object(Bucket="kept", Key="runs/r/others", Body=b"o")
    write(tmp_path, own="s")
    Mirror(bucket, tmp_path).store()
    assert contents(client) == {"others": b"o", "own": b"s"}


class Command:
    """`resume` or `keep`, as the pod runs it."""

    def __init__(
        self, name: str, root: Path, endpoint: str, location: str = "s3://kept/runs/r"
    ) -> None:
        self.folder, self.last_words, self.port = root / "files", root / "words", free_port()
        kept = {n: os.environ[n] for n in ("PATH", "PYTHONPATH") if n in os.environ}
        own = {"TERMINATION_MESSAGE_PATH": str(self.last_words), "HOME": str(root)}
        argv = [sys.executable, "-m", "proctor_runtime", name, f"--location={location}"]
        self.process = subprocess.Popen(
            [*argv, f"--endpoint={endpoint}", f"--folder={self.folder}"],
            env=kept | own | KEYS | {"PORT_ARTIFACTS": str(self.port)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def end(self) -> int:
        self.log, _ = self.process.communicate(timeout=120)
        assert "hush" not in self.log
        return self.process.returncode

    def failure(self) -> Failure:
        return Failure.model_validate_json(self.last_words.read_text())

    def store(self) -> httpx.Response:
        """Ask as the driver does."""
        deadline = time.monotonic() + 60
        while True:
            try:
                return httpx.post(f"http://127.0.0.1:{self.port}/", timeout=60)
            except httpx.ConnectError:
                assert time.monotonic() < deadline
                time.sleep(0.05)


@pytest.fixture
def denying(server: str, client: Any) -> Iterator[None]:
    """A server that knows no key."""
    httpx.post(f"{server}/moto-api/reset-auth", content="0").raise_for_status()
    yield
    httpx.post(f"{server}/moto-api/reset-auth", content="Infinity").raise_for_status()


@pytest.mark.usefixtures("client")
def test_a_bucket_that_does_not_exist_is_told_at_once(server: str, tmp_path: Path) -> None:
    begun = Command("resume", tmp_path, server, "s3://nowhere/r")
    assert begun.end() == EXIT_REJECTED, begun.log
    assert begun.failure().reason == "ArtifactsRefused"
    assert "s3://nowhere/r/.writable does not exist (NoSuchBucket)" in begun.failure().message


@pytest.mark.usefixtures("denying")
def test_a_wrong_key_is_told_at_once(server: str, tmp_path: Path) -> None:
    begun = Command("resume", tmp_path, server)
    assert begun.end() == EXIT_REJECTED, begun.log
    assert begun.failure().reason == "ArtifactsRefused"
    assert "check the Secret that secretRef names" in begun.failure().message


def test_a_server_that_is_away_is_worth_another_try(tmp_path: Path) -> None:
    begun = Command("resume", tmp_path, "http://127.0.0.1:9")
    assert begun.end() == EXIT_RETRYABLE, begun.log
    assert begun.failure().reason == "ArtifactsUnreachable"


def test_what_is_asked_for_is_stored_and_the_rest_at_the_end(
    server: str, client: Any, tmp_path: Path
) -> None:
    begun = Command("keep", tmp_path, server)
    try:
        assert begun.store().status_code == 200
        write(begun.folder, results="{}")
        assert begun.store().status_code == 200
        assert contents(client) == {"results": b"{}"}
        httpx.post(f"{server}/moto-api/reset-auth", content="0").raise_for_status()
        write(begun.folder, report="r")
        refused = begun.store()
        assert refused.status_code == 502
        assert Failure.model_validate_json(refused.text).reason == "ArtifactsRefused"
    finally:
        httpx.post(f"{server}/moto-api/reset-auth", content="Infinity").raise_for_status()
        begun.process.terminate()
        assert begun.end() == 0, begun.log
    assert contents(client) == {"results": b"{}", "report": b"r"}
