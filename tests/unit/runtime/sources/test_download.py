"""Downloading, from a source in memory that breaks off wherever a test says."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor_crds.reasons import Reason
from proctor_runtime.failure import RejectedError
from proctor_runtime.sources.checksum import Checksum
from proctor_runtime.sources.download import PAUSES, WORKERS, download
from proctor_runtime.sources.placed import place
from proctor_runtime.sources.protocol import RemoteFile, UnreachableError
from tests.unit.runtime.sources.memory import (
    CHUNK,
    KilledError,
    MemorySource,
    content,
    described,
    fetched,
)

PART = 100


def run(source: MemorySource, root: Path, files: list[RemoteFile] | None = None) -> list[float]:
    """Download and place; return how long it would have paused."""
    pauses: list[float] = []
    chosen = source.files() if files is None else files
    place(root, download(source, chosen, root, part_bytes=PART, sleep=pauses.append))
    return pauses


MODEL = {
    "config.json": content(50),
    "deep/er/weights": content(1234),
    "exact": content(3 * PART),
    "empty": b"",
}


def test_files_arrive_whole_and_in_their_places(tmp_path: Path) -> None:
    source = MemorySource(MODEL)
    assert run(source, tmp_path) == []
    assert fetched(tmp_path) == MODEL
    assert source.served == sum(map(len, MODEL.values()))


def test_what_has_arrived_is_not_asked_for_again(tmp_path: Path) -> None:
    run(MemorySource(MODEL), tmp_path)
    again = MemorySource(MODEL)
    run(again, tmp_path)
    assert (again.served, fetched(tmp_path)) == (0, MODEL)


@settings(max_examples=60)
@given(
    sizes=st.lists(st.integers(0, 700), min_size=1, max_size=5), kills=st.lists(st.integers(0, 60))
)
def test_killed_anywhere_it_goes_on_and_asks_little_again(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], kills: list[int]
) -> None:
    root = tmp_path_factory.mktemp("root")
    contents = {f"file {number}": content(size) for number, size in enumerate(sizes)}
    served = 0
    for kill in kills:
        source = MemorySource(contents, kill_after=kill)
        with suppress(KilledError):
            run(source, root)
        served += source.served
    last = MemorySource(contents)
    run(last, root)
    assert fetched(root) == contents
    assert served + last.served <= sum(sizes) + len(kills) * WORKERS * PART


@settings(max_examples=60)
@given(breaks=st.lists(st.integers(1, 300), unique=True, max_size=40))
def test_a_source_that_breaks_off_is_asked_for_the_rest_alone(
    tmp_path_factory: pytest.TempPathFactory, breaks: list[int]
) -> None:
    root, contents = tmp_path_factory.mktemp("root"), {"weights": content(1000)}
    source = MemorySource(contents, breaks)
    run(source, root)
    assert fetched(root) == contents
    assert source.served == 1000


def test_a_source_that_gives_nothing_is_given_up(tmp_path: Path) -> None:
    source = MemorySource({"weights": content(50)}, breaks=list(range(1, 100)))
    with pytest.raises(UnreachableError, match="broken off"):
        run(source, tmp_path)
    assert source.chunks == len(PAUSES) + 1


def test_patience_is_renewed_by_progress(tmp_path: Path) -> None:
    breaks = [number for number in range(1, 500) if number % 2 == 0]
    source = MemorySource({"weights": content(90)}, breaks)
    assert len(run(source, tmp_path)) > len(PAUSES)
    assert fetched(tmp_path) == source.contents


def test_what_cannot_be_divided_is_begun_anew(tmp_path: Path) -> None:
    source = MemorySource({"weights": content(350)}, breaks=[20, 40])
    whole = [replace(file, divisible=False) for file in source.files()]
    run(source, tmp_path, whole)
    assert fetched(tmp_path) == source.contents
    assert source.served == 19 * CHUNK + 19 * CHUNK + 350


def test_a_length_that_nobody_told_is_taken_as_it_comes(tmp_path: Path) -> None:
    source = MemorySource({"weights": content(350)})
    run(source, tmp_path, [replace(f, divisible=False, size=None) for f in source.files()])
    assert fetched(tmp_path) == source.contents


def test_parts_of_what_can_no_longer_be_divided_do_not_count(tmp_path: Path) -> None:
    source = MemorySource({"weights": content(2000)})
    with pytest.raises(KilledError):
        run(replace(source, kill_after=150), tmp_path)
    notes = tmp_path / ".fetch" / "parts" / "weights.notes"
    assert "0" in notes.read_text().splitlines()
    run(source, tmp_path, [replace(file, divisible=False) for file in source.files()])
    assert fetched(tmp_path) == source.contents


def test_nothing_is_left_of_an_attempt_at_a_longer_version(tmp_path: Path) -> None:
    class Changing(MemorySource):
        def read(self, file: RemoteFile, start: int, stop: int | None) -> Iterator[bytes]:
            try:
                yield from super().read(file, start, stop)
            except UnreachableError:
                self.contents = {"weights": content(50)}
                raise

    untold = {"divisible": False, "size": None, "checksum": None}
    source = Changing({"weights": content(350)}, breaks=[40], told=untold)
    run(source, tmp_path)
    assert fetched(tmp_path) == {"weights": content(50)}


def test_another_version_is_fetched_whole(tmp_path: Path) -> None:
    with pytest.raises(KilledError):
        run(MemorySource({"weights": content(500)}, kill_after=60), tmp_path)
    newer = MemorySource({"weights": content(501)[:500]})
    run(newer, tmp_path)
    assert fetched(tmp_path) == newer.contents
    assert newer.served == 500


def test_a_wrong_checksum_is_told_and_fetched_anew(tmp_path: Path) -> None:
    source = MemorySource({"weights": content(350)})
    (file,) = source.files()
    wrong = replace(file, checksum=Checksum("sha256", "0" * 64))
    with pytest.raises(RejectedError, match="weights: its sha256 is") as refused:
        run(source, tmp_path, [wrong])
    assert refused.value.reason == Reason.CHECKPOINT_CORRUPT
    assert fetched(tmp_path) == {}
    source.served = 0
    run(source, tmp_path, [file])
    assert (fetched(tmp_path), source.served) == (source.contents, 350)


def test_a_wrong_checksum_does_not_make_the_earlier_version_the_later(tmp_path: Path) -> None:
    run(MemorySource({"weights": content(350)}), tmp_path)
    newer = MemorySource({"weights": content(351)[:350]})
    (file,) = newer.files()
    wrong = replace(file, checksum=Checksum("sha256", "0" * 64))
    for _ in range(2):
        with pytest.raises(RejectedError, match="weights: its sha256 is"):
            run(newer, tmp_path, [wrong])
    run(newer, tmp_path, [file])
    assert fetched(tmp_path) == newer.contents


SHARDED = {
    "model.safetensors.index.json": content(40),
    "shards/one": content(150),
    "shards/two": content(160),
    "config.json": content(50),
}
WHOLE = {"model.safetensors": content(310), "config.json": content(51), "shards": content(9)}


def test_what_the_source_no_longer_has_is_removed_and_nobody_elses(tmp_path: Path) -> None:
    own = {"notes.txt": b"mine", "mine/config.json": b"{}"}
    for name, data in own.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    for contents in (SHARDED, WHOLE, SHARDED):
        run(MemorySource(contents), tmp_path)
        assert fetched(tmp_path) == contents | own


def test_what_a_killed_process_brought_of_another_version_is_removed(tmp_path: Path) -> None:
    with pytest.raises(KilledError):
        run(MemorySource({"a": b"", "b": content(5000)}, kill_after=20), tmp_path)
    run(MemorySource(WHOLE), tmp_path)
    assert fetched(tmp_path) == WHOLE
    assert not list(tmp_path.rglob("*.partial"))


@pytest.mark.parametrize(
    "path", ["../out", "/etc/passwd", "a/../../b", ".fetch/notes", "", "a"], ids=repr
)
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, path: str) -> None:
    files = [described(name, b"") for name in (path, "a/b")]
    with pytest.raises(RejectedError, match="cannot be a file of a model") as refused:
        run(MemorySource({}), tmp_path, files)
    assert refused.value.reason == Reason.CHECKPOINT_UNSUPPORTED


def test_a_volume_too_small_is_told_before_anything_is_fetched(tmp_path: Path) -> None:
    source = MemorySource({"weights": b""})
    huge = replace(described("weights", b""), size=10**18, divisible=False)
    with pytest.raises(RejectedError, match=r"1000000000\.000 GB.*larger volume") as refused:
        run(source, tmp_path, [huge])
    assert (refused.value.reason, source.served) == (Reason.VOLUME_FULL, 0)


def test_a_volume_that_fills_up_is_told(tmp_path: Path) -> None:
    (tmp_path / ".fetch" / "parts").mkdir(parents=True)
    (tmp_path / ".fetch" / "parts" / "weights.partial").symlink_to("/dev/full")
    with pytest.raises(RejectedError, match=r"is full \(No space left on device\)") as refused:
        run(MemorySource({"weights": content(350)}), tmp_path)
    assert refused.value.reason == Reason.VOLUME_FULL


def test_a_line_of_notes_that_was_not_ended_does_not_count(tmp_path: Path) -> None:
    source = MemorySource({"weights": content(2000)})
    with pytest.raises(KilledError):
        run(replace(source, kill_after=5), tmp_path)
    notes = tmp_path / ".fetch" / "parts" / "weights.notes"
    notes.write_text(notes.read_text() + "1000")
    run(source, tmp_path)
    assert fetched(tmp_path) == source.contents
