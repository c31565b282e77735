"""S3 and servers that speak its protocol. Credentials come from the environment, if any."""

import base64
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from boto3 import Session
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
    ResponseStreamingError,
)

from proctor_crds.reasons import Reason
from proctor_runtime.failure import RejectedError
from proctor_runtime.sources.checksum import Checksum
from proctor_runtime.sources.download import WORKERS
from proctor_runtime.sources.protocol import RemoteFile, UnreachableError

CHUNK = 1 << 20
MISSING = {"InvalidBucketName", "NoSuchBucket", "NoSuchKey", "404", "NotFound"}
DENIED = {
    "AccessDenied",
    "ExpiredToken",
    "Forbidden",
    "InvalidAccessKeyId",
    "InvalidToken",
    "SignatureDoesNotMatch",
    "401",
    "403",
}
CHANGED = {"PreconditionFailed", "412"}
PASSING = (ConnectionError, HTTPClientError, IncompleteReadError, ResponseStreamingError)
MD5 = re.compile(r'"?([0-9a-f]{32})"?')
"""The tag of an object that was uploaded at once, and not in parts."""


class S3Source:
    """The objects of a bucket below a prefix."""

    def __init__(self, uri: str, endpoint: str | None) -> None:
        self._uri = uri.rstrip("/")
        self._bucket, _, prefix = self._uri.removeprefix("s3://").partition("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self._client = client(endpoint)

    def files(self) -> list[RemoteFile]:
        """List the objects, with the checksums that the server has of them."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._prefix
        )
        try:
            listed = [each for page in pages for each in page.get("Contents", ())]
        except (ClientError, BotoCoreError) as error:
            raise meaning(error, self._uri) from error
        # Some tools make an empty object for each folder.
        objects = [each for each in listed if not each["Key"].endswith("/")]
        if not objects:
            raise RejectedError(
                Reason.CHECKPOINT_NOT_FOUND,
                f"{self._uri}/ holds no objects; check s3.uri and s3.path",
            )
        with ThreadPoolExecutor(WORKERS) as pool:
            return list(pool.map(self._described, objects))

    def _described(self, listed: Mapping[str, Any]) -> RemoteFile:
        try:
            head = self._client.head_object(
                Bucket=self._bucket, Key=listed["Key"], ChecksumMode="ENABLED"
            )
        except (ClientError, BotoCoreError) as error:
            raise meaning(error, f"s3://{self._bucket}/{listed['Key']}") from error
        return RemoteFile(
            path=listed["Key"].removeprefix(self._prefix),
            size=head["ContentLength"],
            version=head["ETag"],
            checksum=checksum(head),
        )

    def read(self, file: RemoteFile, start: int, stop: int | None) -> Iterator[bytes]:
        """Yield a part of an object, as long as it is still the one that was listed."""
        key = self._prefix + file.path
        wanted = f"bytes={start}-{'' if stop is None else stop - 1}"
        try:
            answer = self._client.get_object(
                Bucket=self._bucket, Key=key, Range=wanted, IfMatch=file.version
            )
            yield from answer["Body"].iter_chunks(CHUNK)
        except (ClientError, BotoCoreError) as error:
            raise meaning(error, f"s3://{self._bucket}/{key}") from error

    def arrange(self, fetched: dict[str, Path], _staging: Path) -> dict[str, Path]:
        """Leave the files as they are."""
        return fetched


def client(endpoint: str | None) -> Any:
    """Open a client; without credentials in the environment it signs nothing."""
    session = Session()
    signature = {} if session.get_credentials() else {"signature_version": UNSIGNED}
    config = Config(
        retries={"mode": "standard", "max_attempts": 5},
        connect_timeout=15,
        read_timeout=60,
        max_pool_connections=2 * WORKERS,
        # Servers other than AWS's refuse its trailers of checksums, where they need not be,
        # and know no bucket names before theirs.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": "path" if endpoint else "auto"},
        **signature,
    )
    region = session.region_name or "us-east-1"
    return session.client("s3", endpoint_url=endpoint, region_name=region, config=config)


def checksum(head: Mapping[str, Any]) -> Checksum | None:
    """Return the best checksum of a whole object; None if there are only such of its parts."""
    at_once = MD5.fullmatch(head["ETag"])
    if at_once or head.get("ChecksumType") == "FULL_OBJECT":
        for field, algorithm in (("ChecksumSHA256", "sha256"), ("ChecksumCRC32", "crc32")):
            if value := head.get(field):
                return Checksum(algorithm, base64.b64decode(value).hex())
    # The tag of an object that is encrypted by a key of its own is no checksum.
    plain = head.get("ServerSideEncryption", "AES256") == "AES256"
    return Checksum("md5", at_once[1]) if at_once and plain else None


def meaning(error: ClientError | BotoCoreError, what: str) -> Exception:
    """Tell what an error of the client means for the model."""
    if isinstance(error, ClientError):
        problem = error.response.get("Error", {})
        return refusal(problem.get("Code", ""), problem.get("Message", ""), what)
    if isinstance(error, PASSING):
        return UnreachableError(f"{what}: {error}")
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return RejectedError(Reason.SOURCE_DENIED, f"{what}: {error}")
    return RejectedError(Reason.CHECKPOINT_NOT_FOUND, f"{what}: {error}; check s3.uri and s3.path")


def refusal(code: str, said: str, what: str) -> Exception:
    """Tell what an error that the server sent means for the model."""
    if code in MISSING:
        return RejectedError(
            Reason.CHECKPOINT_NOT_FOUND, f"{what} does not exist ({code}); check s3.uri and s3.path"
        )
    if code in DENIED:
        return RejectedError(
            Reason.SOURCE_DENIED,
            f"{what}: {said or 'access is denied'} ({code}); check the Secret that secretRef names",
        )
    changed = "it has changed since it was listed" if code in CHANGED else said
    return UnreachableError(f"{what}: {changed} ({code})")
