import asyncio
import os
import time
from pathlib import Path

import pytest

from proctor_harness.adapter import disk
from proctor_harness.adapter.disk import Disk, DiskFullError, Journal


def test_a_line_can_be_read_before_and_after_it_is_written(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "deep" / "log")
    first, second = journal.append(b"one"), journal.append(b"second")
    assert (journal.read(first, 3), journal.read(second, 6)) == (b"one", b"second")
    assert journal.path.read_bytes() == b""
    journal.flush()
    assert journal.path.read_bytes() == b"one\nsecond\n"
    assert (journal.read(first, 3), journal.read(second, 6)) == (b"one", b"second")


def test_a_half_written_line_ends_where_the_next_begins(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b'{"a":1}\n{"b":')
    journal = Journal(path)
    position = journal.append(b'{"c":1}')
    journal.flush()
    assert path.read_bytes() == b'{"a":1}\n{"b":\n{"c":1}\n'
    assert journal.read(position, 7) == b'{"c":1}'


def test_what_a_full_disk_refuses_is_kept_and_written_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path / "log")
    journal.append(b"one")
    write, calls = os.pwrite, []

    def full(file: int, content: bytes, position: int) -> int:
        calls.append(position)
        if len(calls) == 1:
            return write(file, content[:2], position)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OSError, match="No space"):
        journal.flush()
    position = journal.append(b"two")
    assert journal.read(position, 3) == b"two"
    monkeypatch.setattr(os, "pwrite", write)
    journal.flush()
    assert journal.path.read_bytes() == b"one\ntwo\n"


def test_a_journal_that_cannot_be_written_refuses_at_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "PENDING_BYTES", 10)
    journal = Journal(tmp_path / "log")
    journal.append(b"x" * 10)
    with pytest.raises(DiskFullError, match="free or enlarge"):
        journal.append(b"y")


async def test_the_disk_flushes_by_itself_and_at_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "FLUSH_SECONDS", 0.01)
    files = Disk()
    journal = files.journal(tmp_path / "log")
    files.start()
    journal.append(b"one")
    deadline = time.monotonic() + 10
    while not journal.path.read_bytes() and time.monotonic() < deadline:  # noqa: ASYNC110  a file tells nobody
        await asyncio.sleep(0.01)
    monkeypatch.setattr(disk, "FLUSH_SECONDS", 60)
    journal.append(b"two")
    await files.close()
    assert journal.path.read_bytes() == b"one\ntwo\n"


async def test_a_snapshot_is_replaced_when_touched(tmp_path: Path) -> None:
    files = Disk()
    contents = [b"1", b"2"]
    snapshot = files.snapshot(tmp_path / "figures", lambda: contents.pop(0))
    await files.flush()
    assert not snapshot.path.exists()
    snapshot.touch()
    await files.flush()
    await files.flush()
    assert snapshot.path.read_bytes() == b"1"
    snapshot.touch()
    await files.flush()
    assert snapshot.path.read_bytes() == b"2"
    assert os.listdir(tmp_path) == ["figures"]  # noqa: PTH208  and nothing beside it


async def test_a_disk_that_fails_is_no_reason_to_stop(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = Disk()
    journal = files.journal(tmp_path / "log")
    journal.append(b"one")

    def broken(*_: object) -> int:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", broken)
        await files.flush()
        await files.flush()
    assert caplog.text.count("cannot write") == 1
    await files.flush()
    assert journal.path.read_bytes() == b"one\n"
