"""A file on its way: its parts, of which those that have arrived survive the process.

Below the model's root, ``.fetch/PATH.partial`` has the bytes and ``.fetch/PATH.notes`` one line for
the file's version and one for each part that is whole.
"""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from proctor_crds.reasons import Reason
from proctor_runtime.failure import RejectedError
from proctor_runtime.sources.protocol import RemoteFile

NOTES = ".fetch"


class Partial:
    """One file's parts on disk. Several threads may write different parts."""

    def __init__(self, root: Path, file: RemoteFile, part_bytes: int) -> None:
        self.file = file
        self._place = root / file.path
        self._data = root / NOTES / f"{file.path}.partial"
        self._notes = root / NOTES / f"{file.path}.notes"
        self._identity = json.dumps([file.version, file.size, part_bytes])
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
        if lines[:1] == [self._identity] and (self._data.is_file() or self._place.is_file()):
            for line in lines[1:]:
                self._missing.pop(int(line), None)
            if self._data.is_file() or self.arrived():
                return
        self._missing = dict(self._parts)
        self._data.parent.mkdir(parents=True, exist_ok=True)
        self._data.write_bytes(b"")
        self._notes.write_text(f"{self._identity}\n", "utf-8")

    def arrived(self) -> bool:
        """Tell whether the file is in its place, and right."""
        return not self._missing and not self._data.exists() and self._place.is_file()

    def missing(self) -> list[tuple[int, int | None]]:
        """List the parts to ask for, as start and stop; None stands for the end."""
        return list(self._missing.items())

    def bytes_missing(self) -> int:
        """Count the bytes to ask for, as far as that is known."""
        with self._lock:
            missing = self.missing()
        return sum((stop or self.file.size or 0) - start for start, stop in missing)

    @contextmanager
    def writing(self, offset: int) -> Iterator[IO[bytes]]:
        """Open the file to write from `offset` on; what was written is on disk at the end."""
        with self._data.open("r+b") as data:
            data.seek(offset)
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
        """Compare the checksum and put the file in its place; forget a file that is not right."""
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
        self._place.parent.mkdir(parents=True, exist_ok=True)
        self._data.replace(self._place)
