"""A folder, kept in a bucket as it is: what changed is uploaded, what is gone is deleted."""

import errno
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
                found.add(each.path)
                if self._stored.get(each.path) != each.version:
                    self._bucket.upload(each.path, each.file)
                    self._stored[each.path] = each.version
            for path in self._stored.keys() - found:
                self._bucket.delete(path)
                del self._stored[path]


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
