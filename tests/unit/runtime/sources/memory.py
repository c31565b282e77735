"""A source in memory, an archive's too, and what they have brought."""

import hashlib
import io
import random
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from proctor_runtime.sources.archive import SUFFIXES, unpack
from proctor_runtime.sources.checksum import Checksum
from proctor_runtime.sources.protocol import RemoteFile, UnreachableError

CHUNK = 7
MODES = {".tar": "w:", ".tar.gz": "w:gz", ".tgz": "w:gz", ".tar.bz2": "w:bz2", ".tar.xz": "w:xz"}


class KilledError(BaseException):
    """Stands for the end of the process: nothing of ours catches it."""


@dataclass
class MemorySource:
    """Serves contents in small chunks, counts them, and can break off."""

    contents: dict[str, bytes]
    breaks: list[int] = field(default_factory=list)
    """Numbers of served chunks after which a read breaks off."""
    kill_after: int | None = None
    told: dict[str, Any] = field(default_factory=dict)
    """What is told of every file, be it true or not."""
    lost: Sequence[str] = ()
    """Paths of the model at which there will be nothing to place."""
    served: int = 0
    chunks: int = 0

    def files(self) -> list[RemoteFile]:
        files = [described(path, content) for path, content in self.contents.items()]
        return [replace(file, **self.told) for file in files]

    def read(self, file: RemoteFile, start: int, stop: int | None) -> Iterator[bytes]:
        content = self.contents[file.path][start:stop]
        for offset in range(0, len(content), CHUNK):
            if self.kill_after is not None and self.chunks >= self.kill_after:
                raise KilledError
            self.chunks += 1
            if self.chunks in self.breaks:
                raise UnreachableError("broken off")
            self.served += len(content[offset : offset + CHUNK])
            yield content[offset : offset + CHUNK]

    def arrange(self, fetched: dict[str, Path], staging: Path) -> dict[str, Path]:
        return fetched | dict.fromkeys(self.lost, staging / "nowhere")


class ArchiveSource(MemorySource):
    """Has one archive, which becomes its files."""

    def arrange(self, fetched: dict[str, Path], staging: Path) -> dict[str, Path]:
        ((name, archive),) = fetched.items()
        return super().arrange(unpack(archive, name, staging), staging)


def pack(path: Path, members: dict[str, bytes]) -> None:
    suffix = next(s for s in SUFFIXES if path.name.endswith(s))
    if suffix == ".zip":
        with zipfile.ZipFile(path, "w") as zipped:
            for name, data in members.items():
                zipped.writestr(zipfile.ZipInfo(name), data)
        return
    with tarfile.open(path, MODES[suffix]) as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def described(path: str, content: bytes) -> RemoteFile:
    digits = hashlib.sha256(content).hexdigest()
    checksum = Checksum("sha256", digits)
    return RemoteFile(path=path, size=len(content), version=digits, checksum=checksum)


def content(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def fetched(root: Path) -> dict[str, bytes]:
    paths = [path for path in root.rglob("*") if path.is_file()]
    found = {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}
    return {name: data for name, data in found.items() if not name.startswith(".fetch/")}
