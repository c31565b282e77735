"""Versions of a model that follow one another on one volume, beside files of its owner."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from proctor_crds.reasons import Reason
from proctor_runtime.failure import RejectedError
from proctor_runtime.sources.checksum import Checksum
from proctor_runtime.sources.fetch import bring
from tests.unit.runtime.sources.memory import (
    ArchiveSource,
    KilledError,
    MemorySource,
    content,
    fetched,
    pack,
)

Version = Callable[[dict[str, bytes]], MemorySource]

PART = 100
FIRST = {"config.json": content(50), "shards/one": content(150), "shards/two": content(160)}
SECOND = {"config.json": content(51), "shards": content(310)}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "volume"


@pytest.fixture(params=["files", "archive"])
def version(request: pytest.FixtureRequest, tmp_path: Path) -> Version:
    """Make a source of a model's files, or of an archive of them."""

    def archived(members: dict[str, bytes]) -> MemorySource:
        archive = tmp_path / "model.zip"
        pack(archive, members)
        return ArchiveSource({archive.name: archive.read_bytes()})

    return MemorySource if request.param == "files" else archived


def own(root: Path, *paths: str) -> dict[str, bytes]:
    """Put files there that belong to the volume's owner."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"mine")
    return dict.fromkeys(paths, b"mine")


def test_a_version_replaces_another_whole_and_nobody_elses_files(
    root: Path, version: Version
) -> None:
    mine = own(root, "notes.txt", "mine/config.json")
    for contents in (FIRST, SECOND, FIRST):
        bring(version(contents), root, PART)
        assert fetched(root) == contents | mine
    assert [path for path in (root / ".fetch").rglob("*") if path.suffix == ".whole"] == []


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"told": {"size": 10**18, "divisible": False}}, RejectedError),
        ({"told": {"checksum": Checksum("sha256", "0" * 64)}}, RejectedError),
        ({"kill_after": 30}, KilledError),
    ],
    ids=["too large", "wrong", "broken off"],
)
def test_a_version_stays_until_the_next_has_arrived(
    root: Path, version: Version, fault: dict[str, Any], error: type[BaseException]
) -> None:
    bring(version(FIRST), root, PART)
    with pytest.raises(error):
        bring(replace(version(SECOND), **fault), root, PART)
    assert fetched(root) == FIRST
    again = version(FIRST)
    bring(again, root, PART)
    assert again.served == 0
    bring(version(SECOND), root, PART)
    assert fetched(root) == SECOND


def test_a_version_stays_where_an_archive_cannot_be_unpacked(root: Path) -> None:
    bring(MemorySource(FIRST), root, PART)
    with pytest.raises(RejectedError, match=r"model\.zip cannot be unpacked"):
        bring(ArchiveSource({"model.zip": content(50)}), root, PART)
    assert fetched(root) == FIRST


def corrupt(told: dict[str, Any]) -> MemorySource:
    return ArchiveSource({"model.zip": content(50)}, told=told)


@pytest.mark.parametrize(
    ("told", "again"), [({"checksum": None}, 50), ({}, 0)], ids=["unknown", "known"]
)
def test_an_archive_that_cannot_be_unpacked_is_fetched_anew_unless_it_is_right(
    root: Path, told: dict[str, Any], again: int
) -> None:
    mine = own(root, "model.zip")
    for served in (50, again):
        source = corrupt(told)
        with pytest.raises(RejectedError, match="cannot be unpacked"):
            bring(source, root, PART)
        assert source.served == served
    assert fetched(root) == mine


def test_a_file_that_was_there_before_and_was_not_fetched_stays(root: Path) -> None:
    mine = own(root, "config.json")
    with pytest.raises(KilledError):
        bring(MemorySource(FIRST, kill_after=3), root, PART)
    bring(MemorySource({"weights": content(9)}), root, PART)
    assert fetched(root) == {"weights": content(9)} | mine


def test_a_file_in_a_folder_that_was_fetched_stays(root: Path, version: Version) -> None:
    bring(version(FIRST), root, PART)
    mine = own(root, "shards/notes.txt")
    for contents in ({"shards/three": b"3"}, {"weights": b"w"}):
        bring(version(contents), root, PART)
        assert fetched(root) == contents | mine


@pytest.mark.parametrize(
    ("path", "needed"), [("shards/notes.txt", "shards"), ("config", "config/json")]
)
def test_a_file_in_the_way_is_told_before_anything_is_removed(
    root: Path, version: Version, path: str, needed: str
) -> None:
    bring(version(FIRST), root, PART)
    there = FIRST | own(root, path)
    with pytest.raises(RejectedError, match=f"'{needed}' cannot be put .* '{path}'") as refused:
        bring(version({needed: content(310)}), root, PART)
    assert refused.value.reason == Reason.CHECKPOINT_UNSUPPORTED
    assert fetched(root) == there
    again = version(FIRST)
    bring(again, root, PART)
    assert again.served == 0


def test_placing_that_was_interrupted_is_taken_up(root: Path, version: Version) -> None:
    bring(version(FIRST), root, PART)
    with pytest.raises(FileNotFoundError):
        bring(replace(version(SECOND), lost=["zz"]), root, PART)
    again = version(SECOND)
    bring(again, root, PART)
    assert (fetched(root), again.served) == (SECOND, 0)
