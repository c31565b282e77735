"""A file on its way: its parts, of which those that have arrived survive the process.

Below the model's root, ``.fetch/parts/PATH.partial`` has the bytes and ``PATH.notes`` one line for
the file's version and one for each part that is whole. ``PATH.whole`` is a file that is right and
waits for the model's others.
"""

import json
import os
import shutil
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from proctor_crds.reasons import Reason
from proctor_runtime.failure import RejectedError
from proctor_runtime.sources.protocol import RemoteFile

NOTES = ".fetch"
PARTS = f"{NOTES}/parts"
UNPACKED = f"{NOTES}/unpacked"


def forget_others(root: Path, paths: Iterable[str]) -> None:
    """Remove all that is on its way and is none of `paths`."""
    shutil.rmtree(root / UNPACKED, ignore_errors=True)
    suffixes = ("notes", "partial", "whole")
    kept = {root / PARTS / f"{path}.{suffix}" for path in paths for suffix in suffixes}
    # A file's notes go first: without them, what is in its place is taken for no other version.
    for found in sorted((root / PARTS).rglob("*")):
        if found.is_file() and found not in kept:
            found.unlink()


class Partial:
    """One file's parts on disk. Several threads may write different parts."""

    def __init__(self, root: Path, file: RemoteFile, part_bytes: int) -> None:
        self.file = file
        self._place = root / file.path
        self._notes = root / PARTS / f"{file.path}.notes"
        self._data = root / PARTS / f"{file.path}.partial"
        self._whole = root / PARTS / f"{file.path}.whole"
        # Else the first part of a file that could be divided stood for all of one that cannot.
        divided = part_bytes if file.divisible else None
        self._identity = json.dumps([file.version, file.size, divided])
        self._lock = threading.Lock()
        whole = file.size if file.divisible else None
        starts = range(0, whole, part_bytes) if whole is not None else range(1)
        self._parts = {
            start: None if whole is None else min(start + part_bytes, whole) for start in starts
        }
        self._missing = dict(self._parts)

    def resume(self) -> None:
        """Take up what an earlier process left of this very version; forget any other."""
        # A line that was not ended may be the beginning of another number.
        lines = self._notes.read_text("utf-8").split("\n")[:-1] if self._notes.is_file() else []
        if lines[:1] == [self._identity] and (self._data.is_file() or self.where().is_file()):
            for line in lines[1:]:
                self._missing.pop(int(line), None)
            if self._data.is_file() or self.arrived():
                return
        self._missing = dict(self._parts)
        self._notes.unlink(missing_ok=True)
        self._whole.unlink(missing_ok=True)
        self._data.parent.mkdir(parents=True, exist_ok=True)
        self._data.write_bytes(b"")
        self._notes.write_text(f"{self._identity}\n", "utf-8")

    def arrived(self) -> bool:
        """Tell whether the file is whole, and right."""
        return not self._missing and not self._data.exists() and self.where().is_file()

    def where(self) -> Path:
        """Tell where the file is once it has arrived: waiting for the others, or in its place."""
        return self._whole if self._whole.is_file() else self._place

    def missing(self) -> list[tuple[int, int | None]]:
        """List the parts to ask for, as start and stop; None stands for the end."""
        return list(self._missing.items())

    def bytes_missing(self) -> int:
        """Count the bytes to ask for, as far as that is known."""
        with self._lock:
            missing = self.missing()
        return sum((stop or self.file.size or 0) - start for start, stop in missing)

    @contextmanager
    def writing(self, offset: int, stop: int | None) -> Iterator[IO[bytes]]:
        """Open the file to write from `offset` on; what was written is on disk at the end."""
        with self._data.open("r+b") as data:
            data.seek(offset)
            if stop is None:  # an earlier attempt may have been at another version, a longer one
                data.truncate()
            yield data
            data.flush()
            # A part is noted only when it would outlive the node, too.
            os.fdatasync(data.fileno())

    def note(self, start: int) -> bool:
        """Note that a part is whole; tell whether it was the last."""
        with self._lock:
            with self._notes.open("a", encoding="utf-8") as notes:
                notes.write(f"{start}\n")
            del self._missing[start]
            return not self._missing

    def finish(self) -> None:
        """Compare the checksum and put the file aside; forget a file that is not right."""
        checksum = self.file.checksum
        found = checksum.of(self._data) if checksum else ""
        if checksum and found != checksum.digits:
            # Without notes, what is in the place is taken for no version that it is not.
            self._notes.unlink()
            self._data.unlink()
            raise RejectedError(
                Reason.CHECKPOINT_CORRUPT,
                f"{self.file.path}: its {checksum.algorithm} is {found}, and the source says"
                f" {checksum.digits}; it is fetched anew at the next start",
            )
        self._data.replace(self._whole)
