"""A folder of a bucket. Raises `RejectedError` and `UnreachableError`, both of artifacts."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError
from s3transfer.exceptions import RetriesExceededError

from proctor_crds.reasons import Reason
from proctor_runtime.failure import RejectedError
from proctor_runtime.sources.protocol import UnreachableError
from proctor_runtime.sources.s3 import client, meaning

MARK = ".writable"
AT_ONCE = TransferConfig(use_threads=False)
"""Few and small files: threads would only hold memory of the harness's pod."""


class ArtifactsUnreachableError(UnreachableError):
    """The bucket does not answer as it should; it may later."""

    reason = Reason.ARTIFACTS_UNREACHABLE


@dataclass(frozen=True, slots=True)
class Listed:
    """What the bucket says of an object."""

    size: int
    modified: datetime


class Bucket:
    """The objects below a prefix."""

    def __init__(self, uri: str, endpoint: str | None) -> None:
        self.uri = uri.rstrip("/")
        self._name, _, prefix = self.uri.removeprefix("s3://").partition("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self._client: Any = client(endpoint)

    def require_writable(self) -> None:
        """Write and delete an object, so that what is refused is refused before it is needed."""
        with told(f"{self.uri}/{MARK}"):
            self._client.put_object(Bucket=self._name, Key=self._prefix + MARK, Body=b"")
        self.delete(MARK)

    def listed(self) -> dict[str, Listed]:
        """List the objects, by their paths below the prefix."""
        pages = self._client.get_paginator("list_objects_v2")
        with told(self.uri):
            return {
                each["Key"].removeprefix(self._prefix): Listed(each["Size"], each["LastModified"])
                for page in pages.paginate(Bucket=self._name, Prefix=self._prefix)
                for each in page.get("Contents", ())
                if not each["Key"].endswith("/")
            }

    def download(self, path: str, to: IO[bytes]) -> None:
        """Write an object's bytes to a file."""
        with told(f"{self.uri}/{path}"):
            self._client.download_fileobj(self._name, self._prefix + path, to, Config=AT_ONCE)

    def upload(self, path: str, file: IO[bytes]) -> None:
        """Make an object of a file, of as many bytes as it has at the beginning."""
        with told(f"{self.uri}/{path}"):
            self._client.upload_fileobj(file, self._name, self._prefix + path, Config=AT_ONCE)

    def delete(self, path: str) -> None:
        """Delete an object; none is missed."""
        with told(f"{self.uri}/{path}"):
            self._client.delete_object(Bucket=self._name, Key=self._prefix + path)


@contextmanager
def told(what: str) -> Iterator[None]:
    """Tell what an error of the client means for artifacts."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        found = meaning(error, what)
        if isinstance(found, UnreachableError):
            raise ArtifactsUnreachableError(f"artifacts: {found}") from error
        raise RejectedError(Reason.ARTIFACTS_REFUSED, f"artifacts: {found}") from error
    except RetriesExceededError as error:
        raise ArtifactsUnreachableError(f"artifacts: {what}: {error.last_exception}") from error
