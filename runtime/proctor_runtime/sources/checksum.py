"""The checksums that sources have of their files."""

import hashlib
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Checksum:
    """A file's checksum, in hexadecimal digits."""

    algorithm: str
    """A key of `ALGORITHMS`."""
    digits: str

    def of(self, path: Path) -> str:
        """Compute the same checksum of a file."""
        with path.open("rb") as file:
            return ALGORITHMS[self.algorithm](file)


def sha256(file: BufferedReader) -> str:
    """Hash by SHA-256."""
    return hashlib.file_digest(file, "sha256").hexdigest()


def md5(file: BufferedReader) -> str:
    """Hash by MD5: against accidents, for that is all it is good for."""
    return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def git(file: BufferedReader) -> str:
    """Hash as git does: by SHA-1, with the length in front."""
    length = file.seek(0, 2)
    file.seek(0)
    whole = hashlib.sha1(f"blob {length}\0".encode(), usedforsecurity=False)
    while chunk := file.read(CHUNK):
        whole.update(chunk)
    return whole.hexdigest()


def crc32(file: BufferedReader) -> str:
    """Return the CRC-32 of ISO-HDLC, as zip has it."""
    value = 0
    while chunk := file.read(CHUNK):
        value = zlib.crc32(chunk, value)
    return f"{value:08x}"


ALGORITHMS: dict[str, Callable[[BufferedReader], str]] = {
    "sha256": sha256,
    "md5": md5,
    "git": git,
    "crc32": crc32,
}
