"""``python -m proctor_runtime resume``: fetch what an earlier pod of the evaluation left."""

import logging
import os
from pathlib import Path, PurePosixPath

from proctor_crds.reasons import Reason
from proctor_runtime.artifacts.bucket import Bucket, Listed
from proctor_runtime.failure import RejectedError

logger = logging.getLogger(__name__)


def resume(bucket: Bucket, folder: Path) -> None:
    """Fetch everything, once it is certain that the bucket also takes something."""
    bucket.require_writable()
    found = bucket.listed()
    for path, listed in found.items():
        fetch(bucket, path, listed, folder)
    logger.info("%d files of an earlier pod", len(found))


def fetch(bucket: Bucket, path: str, listed: Listed, folder: Path) -> None:
    """Fetch one file, whose time says that it is stored as it is."""
    inside = PurePosixPath(path)
    if inside.is_absolute() or ".." in inside.parts:
        raise RejectedError(
            Reason.ARTIFACTS_REFUSED, f"{bucket.uri}/{path} can be no file of a folder; delete it"
        )
    place = folder / inside
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("wb") as file:
        bucket.download(path, file)
    modified = stored_time(listed)
    os.utime(place, ns=(modified, modified))


def stored_time(listed: Listed) -> int:
    """The time, in nanoseconds, that a file has which is as the bucket has it."""
    return round(listed.modified.timestamp()) * 10**9
