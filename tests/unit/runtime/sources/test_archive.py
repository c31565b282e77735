import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from proctor_crds.reasons import Reason
from proctor_runtime.failure import RejectedError
from proctor_runtime.sources.archive import SUFFIXES, unpack
from proctor_runtime.sources.placed import keep_only

MODES = {".tar": "w:", ".tar.gz": "w:gz", ".tgz": "w:gz", ".tar.bz2": "w:bz2", ".tar.xz": "w:xz"}


def pack(path: Path, members: dict[str, bytes]) -> None:
    suffix = next(s for s in SUFFIXES if path.name.endswith(s))
    if suffix == ".zip":
        with zipfile.ZipFile(path, "w") as zipped:
            for name, data in members.items():
                zipped.writestr(name, data)
        return
    with tarfile.open(path, MODES[suffix]) as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_archive_becomes_its_files(tmp_path: Path, suffix: str) -> None:
    archive = tmp_path / f"model{suffix}"
    pack(archive, {"config.json": b"{}", "deep/weights": b"w"})
    unpack(archive, tmp_path)
    assert (tmp_path / "deep/weights").read_bytes() == b"w"
    assert sorted(p.name for p in tmp_path.iterdir()) == [".fetch", "config.json", "deep"]


def test_what_an_unfinished_process_left_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "older").write_text("")
    archive = tmp_path / "model.zip"
    pack(archive, {"deep/weights": b"w"})
    unpack(archive, tmp_path)
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["weights"]


def test_what_an_earlier_archive_held_is_removed_and_nobody_elses(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    archive = tmp_path / "model.zip"
    for held in ({"old.json": b"", "deep/er/weights": b"w"}, {"deep": b"w"}):
        keep_only(tmp_path, [archive.name])
        pack(archive, held)
        unpack(archive, tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [".fetch", "deep", "mine"]
    assert (tmp_path / "deep").is_file()


def test_the_notes_of_another_volume_are_left_out(tmp_path: Path) -> None:
    archive = tmp_path / "model.zip"
    pack(archive, {".fetch/finished": b"", "weights": b"w"})
    unpack(archive, tmp_path)
    assert (tmp_path / "weights").read_bytes() == b"w"
    assert not (tmp_path / ".fetch" / "finished").exists()


def link(path: Path, to: str) -> None:
    with tarfile.open(path, "w:") as tar:
        member = tarfile.TarInfo("weights")
        member.type, member.linkname = tarfile.SYMTYPE, to
        tar.addfile(member)


def test_a_member_that_leads_outside_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    archive = root / "model.tar"
    pack(archive, {"../out": b""})
    with pytest.raises(RejectedError, match=r"model\.tar cannot be unpacked") as refused:
        unpack(archive, root)
    assert refused.value.reason == Reason.CHECKPOINT_CORRUPT
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("to", ["/etc/passwd", "../../secret"])
def test_a_link_that_leads_outside_is_refused(tmp_path: Path, to: str) -> None:
    archive = tmp_path / "model.tar"
    link(archive, to)
    with pytest.raises(RejectedError, match="cannot be unpacked"):
        unpack(archive, tmp_path)


@pytest.mark.parametrize("name", ["/out", "../out"])
def test_what_a_zip_file_leads_outside_stays_inside(tmp_path: Path, name: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    pack(root / "model.zip", {name: b"x"})
    unpack(root / "model.zip", root)
    assert (root / "out").read_bytes() == b"x"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("suffix", [".tar.gz", ".zip", ".tar"])
def test_a_truncated_archive_is_told(tmp_path: Path, suffix: str) -> None:
    archive = tmp_path / f"model{suffix}"
    pack(archive, {"weights": bytes(10_000)})
    archive.write_bytes(archive.read_bytes()[:60])
    with pytest.raises(RejectedError, match="cannot be unpacked"):
        unpack(archive, tmp_path)
