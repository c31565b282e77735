"""What a source of files is: a listing, and any part of any of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from proctor_crds.reasons import Reason
from proctor_runtime.sources.checksum import Checksum


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFile:
    """A file that a source has."""

    path: str
    """Relative to the model, with slashes."""
    size: int | None
    """In bytes; None if the source does not tell."""
    version: str
    """Another one means other bytes: an ETag, a commit."""
    checksum: Checksum | None = None
    divisible: bool = True
    """Parts of it can be asked for."""


class UnreachableError(Exception):
    """The source does not answer as it should; it may later."""

    reason = Reason.SOURCE_UNREACHABLE


class Source(Protocol):
    """Where a model is kept. Raises `RejectedError` or `UnreachableError`; used by many threads."""

    def files(self) -> list[RemoteFile]:
        """List what the model is made of."""
        ...

    def read(self, file: RemoteFile, start: int, stop: int | None) -> Iterator[bytes]:
        """Yield the bytes from `start` to before `stop`, or to the end if that is None."""
        ...

    def arrange(self, fetched: dict[str, Path], staging: Path, /) -> dict[str, Path]:
        """Make the model of the files that were fetched, in a new folder if it takes one.

        Both are paths of files, relative to the model, and where the file is until it is placed.
        """
        ...
