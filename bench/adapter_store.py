"""`python -m bench.adapter_store`: the answer log beside SQLite in the same role (ADR 12).

Both keep answers of 700 bytes by key, write a batch every 1,000 answers as the adapter does every
half second, and are read back in random order after a restart. SQLite is used as well as it can be:
one connection, WAL, synchronous=NORMAL, one transaction a batch, a table without rowid.
"""

import random
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from bench.adapter_upstream import ANSWER
from proctor_harness.adapter.answers import Answers
from proctor_harness.adapter.content import Content
from proctor_harness.adapter.disk import Journal
from proctor_harness.adapter.messages import Response
from proctor_harness.adapter.turns import Slot, Turns

COUNT = 100_000
BATCH = 1_000
BODY = ANSWER.split(b"\r\n\r\n", 1)[1]
HEADERS = ((b"content-type", b"application/json"),)


class Store(Protocol):
    """What is compared."""

    def put(self, key: bytes) -> None:
        """Queue an answer."""

    def flush(self) -> None:
        """Write what is queued."""

    def get(self, key: bytes) -> bytes:
        """Read an answer's body."""
        ...


class Log:
    """The adapter's own."""

    def __init__(self, directory: Path) -> None:
        self._journal = Journal(directory / "answers.jsonl")
        self._answers = Answers(self._journal, "bench", Turns())

    def put(self, key: bytes) -> None:
        """Queue."""
        self._answers.put(Slot(key), Response(200, HEADERS, Content(BODY)), BODY, None)

    def flush(self) -> None:
        """Write."""
        self._journal.flush()

    def get(self, key: bytes) -> bytes:
        """Read."""
        found = self._answers.get(Slot(key))
        if found is None or not isinstance(found.body, Content):
            raise KeyError(key)
        return found.body.raw


class Sqlite:
    """The alternative."""

    def __init__(self, directory: Path) -> None:
        self._database = sqlite3.connect(directory / "answers.db", isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=NORMAL")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS answers"
            " (key BLOB PRIMARY KEY, status INT, headers TEXT, body BLOB) WITHOUT ROWID"
        )
        self._pending: list[tuple[bytes, int, str, bytes]] = []

    def put(self, key: bytes) -> None:
        """Queue."""
        self._pending.append((key, 200, repr(HEADERS), BODY))

    def flush(self) -> None:
        """Write."""
        self._database.execute("BEGIN")
        self._database.executemany("INSERT OR REPLACE INTO answers VALUES (?,?,?,?)", self._pending)
        self._database.execute("COMMIT")
        self._pending.clear()

    def get(self, key: bytes) -> bytes:
        """Read."""
        row = self._database.execute(
            "SELECT status, headers, body FROM answers WHERE key = ?", (key,)
        ).fetchone()
        found: bytes = row[2]
        return found


def main() -> None:
    """Compare."""
    keys = [random.randbytes(16) for _ in range(COUNT)]  # noqa: S311 - not a secret
    makers: list[Callable[[Path], Store]] = [Log, Sqlite]
    for make in makers:
        with tempfile.TemporaryDirectory() as directory:
            report(make, Path(directory), keys)


def report(make: Callable[[Path], Store], directory: Path, keys: list[bytes]) -> None:
    """Microseconds an answer, and seconds to open."""
    store = make(directory)
    written = per_answer(lambda: write(store, keys))
    started = time.perf_counter()
    store = make(directory)
    opened = time.perf_counter() - started
    random.shuffle(keys)
    read = per_answer(lambda: [store.get(key) for key in keys])
    size = sum(path.stat().st_size for path in directory.iterdir()) / COUNT
    print(
        f"{make.__name__:8s} write {written:6.1f} us  open {opened:5.2f} s"
        f"  read {read:6.1f} us  {size:6.0f} bytes an answer"
    )


def write(store: Store, keys: list[bytes]) -> None:
    """All answers, in batches."""
    for number, key in enumerate(keys, start=1):
        store.put(key)
        if number % BATCH == 0:
            store.flush()


def per_answer(work: Callable[[], object]) -> float:
    """Microseconds for each of `COUNT`, of this process's CPU and of waiting for the disk."""
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) / COUNT * 1e6


if __name__ == "__main__":
    main()
