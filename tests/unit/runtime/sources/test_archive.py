import errno
import random
import tarfile
from pathlib import Path

import pytest

from proctor_crds.reasons import Reason
from proctor_runtime.failure import RejectedError
from proctor_runtime.sources.archive import SUFFIXES, unpack
from tests.unit.runtime.sources.memory import pack


def unpacked(archive: Path) -> dict[str, bytes]:
    found = unpack(archive, archive.name, archive.parent / "into")
    return {path: file.read_bytes() for path, file in found.items()}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_archive_becomes_its_files(tmp_path: Path, suffix: str) -> None:
    archive = tmp_path / f"model{suffix}"
    members = {"config.json": b"{}", "deep/weights": b"w"}
    pack(archive, members)
    assert unpacked(archive) == members


def test_the_notes_of_another_volume_are_left_out(tmp_path: Path) -> None:
    archive = tmp_path / "model.zip"
    pack(archive, {".fetch/finished": b"", "weights": b"w"})
    assert unpacked(archive) == {"weights": b"w"}


def test_a_link_to_a_folder_is_one_file(tmp_path: Path) -> None:
    archive = tmp_path / "model.tar"
    (tmp_path / "iteration").mkdir()
    (tmp_path / "iteration" / "weights").write_bytes(b"w")
    (tmp_path / "latest").symlink_to("iteration")
    with tarfile.open(archive, "w:") as tar:
        for name in ("iteration", "latest"):
            tar.add(tmp_path / name, name)
    found = unpack(archive, archive.name, tmp_path / "into")
    assert found.keys() == {"iteration/weights", "latest"}


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
        unpacked(archive)
    assert refused.value.reason == Reason.CHECKPOINT_CORRUPT
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("to", ["/etc/passwd", "../../secret"])
def test_a_link_that_leads_outside_is_refused(tmp_path: Path, to: str) -> None:
    archive = tmp_path / "model.tar"
    link(archive, to)
    with pytest.raises(RejectedError, match="cannot be unpacked"):
        unpacked(archive)


@pytest.mark.parametrize("name", ["/out", "../out"])
def test_what_a_zip_file_leads_outside_stays_inside(tmp_path: Path, name: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    pack(root / "model.zip", {name: b"x"})
    assert unpacked(root / "model.zip") == {"out": b"x"}
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("suffix", [".tar.gz", ".zip", ".tar"])
def test_a_truncated_archive_is_told(tmp_path: Path, suffix: str) -> None:
    archive = tmp_path / f"model{suffix}"
    pack(archive, {"weights": bytes(10_000)})
    archive.write_bytes(archive.read_bytes()[:60])
    with pytest.raises(RejectedError, match="cannot be unpacked"):
        unpacked(archive)


@pytest.mark.parametrize("at", [0.5, 0.75], ids=str)
@pytest.mark.parametrize("suffix", [".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip"])
def test_an_archive_with_wrong_bytes_is_told(tmp_path: Path, suffix: str, at: float) -> None:
    archive = tmp_path / f"model{suffix}"
    pack(archive, {"weights": bytes(random.Random(0).choices(b"abcdefgh", k=2_000_000))})
    data = bytearray(archive.read_bytes())
    for position in range(int(len(data) * at), int(len(data) * at) + 30):
        data[position] ^= 0x5A
    archive.write_bytes(data)
    with pytest.raises(RejectedError, match="cannot be unpacked") as refused:
        unpacked(archive)
    assert refused.value.reason == Reason.CHECKPOINT_CORRUPT


@pytest.mark.parametrize("suffix", [".tar.gz", ".tar.xz"])
def test_a_wrong_checksum_behind_an_archives_end_is_told(tmp_path: Path, suffix: str) -> None:
    archive = tmp_path / f"model{suffix}"
    pack(archive, {"weights": bytes(10_000)})
    data = bytearray(archive.read_bytes())
    # The checksum of gzip's only member; the index of xz, in which its stream's length is.
    data[-8 if suffix == ".tar.gz" else -20] ^= 1
    archive.write_bytes(data)
    with pytest.raises(RejectedError, match="cannot be unpacked"):
        unpacked(archive)


def test_a_volume_that_fails_is_no_fault_of_the_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    pack(tmp_path / "model.tar", {"weights": b"w"})
    monkeypatch.setattr(tarfile.TarFile, "extractall", full)
    with pytest.raises(OSError, match="No space left"):
        unpacked(tmp_path / "model.tar")
