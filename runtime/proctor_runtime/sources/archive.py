"""Unpacking an archive, of which nothing may leave its folder."""

import tarfile
import zipfile
import zlib
from lzma import LZMAError
from pathlib import Path

from proctor_crds.reasons import Reason
from proctor_runtime.failure import RejectedError
from proctor_runtime.sources.partial import NOTES
from proctor_runtime.sources.placed import files_below

TAR = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
SUFFIXES = (*TAR, ".zip")
CHUNK = 1 << 20
BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, LZMAError, EOFError, RuntimeError)


def unpack(archive: Path, name: str, into: Path) -> dict[str, Path]:
    """Extract an archive of this name into a new folder; return where each of its files is."""
    into.mkdir(parents=True)
    try:
        extract(archive, name, into)
    except (*BROKEN, OSError) as error:
        # gzip and bz2 tell of wrong bytes by an OSError that the system knows nothing of.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise RejectedError(
            Reason.CHECKPOINT_CORRUPT, f"{name} cannot be unpacked: {error}"
        ) from error
    files = {path.relative_to(into): path for path in files_below(into)}
    # A volume that was packed as it was has notes, which are not those of this one.
    return {path.as_posix(): file for path, file in files.items() if path.parts[0] != NOTES}


def extract(archive: Path, name: str, into: Path) -> None:
    """Extract all members; such as lead outside, or are no files, are refused."""
    if name.endswith(TAR):
        with tarfile.open(archive) as tar:
            tar.extractall(into, filter="data")
            # A compressed file's checksum is behind the archive's end, where extracting stops.
            while tar.fileobj and tar.fileobj.read(CHUNK):
                pass
    else:
        with zipfile.ZipFile(archive) as zipped:
            zipped.extractall(into)  # noqa: S202 - it leaves out what leads outside
