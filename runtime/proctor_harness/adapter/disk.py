"""What the adapter writes, gathered and written by a thread every `FLUSH_SECONDS`.

So no request waits for a disk, and a process that is killed loses what it gathered since the last
flush and nothing else.
"""

import asyncio
import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol, TypeVar

FLUSH_SECONDS = 0.5
PENDING_BYTES = 256 << 20
"""A journal that cannot be written holds as much in memory before it refuses more."""

logger = logging.getLogger(__name__)


class DiskFullError(Exception):
    """The artifact volume takes nothing any more."""


class File(Protocol):
    """Something to write."""

    def prepare(self) -> None:
        """Fix what is to be written; called by the event loop, before each flush."""
        ...

    def flush(self) -> None:
        """Write what there is; called by a thread, one at a time."""
        ...


F = TypeVar("F", bound=File)


class Journal:
    """An append-only file of lines, which can be read back by position.

    One process writes it at a time. What a killed one left half written becomes a line of its own,
    which whoever reads the journal passes over.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._pending: dict[int, bytes] = {}
        self._end = self._written = os.fstat(self._file).st_size
        if self._end and os.pread(self._file, 1, self._end - 1) != b"\n":
            self.append(b"")

    def append(self, line: bytes) -> int:
        """Queue a line, given without its newline; returns its position. Raises DiskFullError."""
        if self._end - self._written > PENDING_BYTES:
            raise DiskFullError(f"{self.path} cannot be written: free or enlarge its volume")
        position, content = self._end, line + b"\n"
        self._pending[position] = content
        self._end += len(content)
        return position

    def read(self, position: int, length: int) -> bytes:
        """A line by its position and its length without the newline, written yet or not."""
        pending = self._pending.get(position)
        return pending[:-1] if pending else os.pread(self._file, length, position)

    def prepare(self) -> None:
        """Nothing: lines do not change."""

    def flush(self) -> None:
        """Write the queued lines where they belong; on failure they stay queued."""
        batch = self._pending.copy()
        if not batch:
            return
        content = memoryview(b"".join(batch.values()))
        position = self._written
        while content:
            written = os.pwrite(self._file, content, position)
            content, position = content[written:], position + written
        os.fsync(self._file)
        self._written = position
        for start in batch:
            del self._pending[start]


class Snapshot:
    """A small file that is replaced as a whole when its content has changed."""

    def __init__(self, path: Path, render: Callable[[], bytes]) -> None:
        self.path = path
        self._render = render
        self._changed = False
        self._content: bytes | None = None
        path.parent.mkdir(parents=True, exist_ok=True)

    def touch(self) -> None:
        """Note that the content has changed."""
        self._changed = True

    def prepare(self) -> None:
        """Render what has changed."""
        if self._changed:
            self._content, self._changed = self._render(), False

    def flush(self) -> None:
        """Replace the file; readers see the old content or the new."""
        if self._content is None:
            return
        new = self.path.with_name(self.path.name + ".new")
        new.write_bytes(self._content)
        new.replace(self.path)
        self._content = None


class Disk:
    """Flushes every file."""

    def __init__(self) -> None:
        self._files: list[File] = []
        self._flusher: asyncio.Task[None] | None = None
        self._failed = False
        self._lock = threading.Lock()

    def journal(self, path: Path) -> Journal:
        """Open a journal."""
        return self._kept(Journal(path))

    def snapshot(self, path: Path, render: Callable[[], bytes]) -> Snapshot:
        """Declare a file that is replaced as a whole."""
        return self._kept(Snapshot(path, render))

    def _kept(self, file: F) -> F:
        self._files.append(file)
        return file

    def start(self) -> None:
        """Begin to flush."""
        self._flusher = asyncio.create_task(self._flush_forever())

    async def close(self) -> None:
        """Stop, and write what is left."""
        if self._flusher:
            self._flusher.cancel()
            with suppress(asyncio.CancelledError):
                await self._flusher
        await self.flush()

    async def flush(self) -> None:
        """Write everything now."""
        for file in self._files:
            file.prepare()
        # Shielded, because a thread cannot be stopped: its batch is written, wanted or not.
        await asyncio.shield(asyncio.to_thread(self._write))

    def _write(self) -> None:
        try:
            with self._lock:
                for file in tuple(self._files):
                    file.flush()
        except OSError:
            # An evaluation goes on while it can: answers wait in memory for the disk.
            if not self._failed:
                logger.exception("cannot write; trying again every %s s", FLUSH_SECONDS)
            self._failed = True
        else:
            self._failed = False

    async def _flush_forever(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()
