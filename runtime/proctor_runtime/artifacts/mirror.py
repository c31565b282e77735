"""A folder, kept in a bucket as it is: what changed is uploaded, what is gone is deleted."""

import errno
import logging
import os
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from proctor_runtime.artifacts.bucket import Bucket
from proctor_runtime.artifacts.resume import stored_time

GONE = (errno.ENOENT, errno.ELOOP)
"""Of a file that was deleted meanwhile, and of a link."""
Version = tuple[int, int]
"""A file's size in bytes, and when it was written, in nanoseconds."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Open:
    """A file of the folder, open to be read."""

    path: str
    version: Version
    file: IO[bytes]


class Mirror:
    """Knows which files the bucket has as they are."""

    def __init__(self, bucket: Bucket, folder: Path) -> None:
        self._bucket = bucket
        self._folder = folder
        self._lock = threading.Lock()
        self._left_out: set[str] = set()
        self._stored: dict[str, Version] = {
            path: (each.size, stored_time(each))
            for path, each in bucket.listed().items()
            # What came after `resume` is another pod's.
            if (folder / path).is_file()
        }

    def store(self) -> None:
        """Make the bucket hold what the folder holds now."""
        with self._lock:
            found = set()
            for each in opened(self._folder):
                if not self._can_be_stored(each.path):
                    continue
                found.add(each.path)
                if self._stored.get(each.path) != each.version:
                    self._bucket.upload(each.path, each.file)
                    self._stored[each.path] = each.version
            for path in self._stored.keys() - found:
                self._bucket.delete(path)
                del self._stored[path]

    def _can_be_stored(self, path: str) -> bool:
        """Whether an object can have the path for its key; says once of each that cannot."""
        if is_text(path):
            return True
        if path not in self._left_out:
            self._left_out.add(path)
            logger.warning("%r is not stored: its name is not UTF-8, as a key must be", path)
        return False


def is_text(path: str) -> bool:
    """Whether a path, as the system gives it, is UTF-8: other bytes are lone surrogates in it."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def opened(folder: Path) -> Iterator[Open]:
    """Open each file in turn, and none outside the folder.

    Who writes here is not trusted with the credentials of who reads, so no link is followed, and
    none can be put in a folder's place meanwhile.
    """
    for at, _, names, handle in os.fwalk(folder, follow_symlinks=False):
        for name in names:
            try:
                flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
                opened_file = os.open(name, flags, dir_fd=handle)
            except OSError as error:
                if error.errno in GONE:
                    continue
                raise
            with os.fdopen(opened_file, "rb") as file:
                about = os.fstat(opened_file)
                if stat.S_ISREG(about.st_mode):
                    path = (Path(at) / name).relative_to(folder).as_posix()
                    yield Open(path, (about.st_size, about.st_mtime_ns), file)
