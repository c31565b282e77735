"""Unpacking an archive, of which nothing may leave its folder."""

import shutil
import tarfile
import zipfile
import zlib
from pathlib import Path

from proctor_crds.reasons import Reason
from proctor_runtime.failure import RejectedError
from proctor_runtime.sources.partial import NOTES
from proctor_runtime.sources.placed import place_also

TAR = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
SUFFIXES = (*TAR, ".zip")


def unpack(archive: Path, root: Path) -> None:
    """Put what `archive` holds into `root`, and remove it."""
    staging = root / NOTES / "unpacked"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    try:
        extract(archive, staging)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise RejectedError(
            Reason.CHECKPOINT_CORRUPT, f"{archive.name} cannot be unpacked: {error}"
        ) from error
    # A volume that was packed as it was has notes, which are not those of this one.
    entries = [entry for entry in staging.iterdir() if entry.name != NOTES]
    place_also(root, [entry.name for entry in entries])
    archive.unlink()
    for entry in entries:
        place = root / entry.name
        if place.is_dir():  # left by a process that was killed here
            shutil.rmtree(place)
        entry.replace(place)


def extract(archive: Path, into: Path) -> None:
    """Extract all members; such as lead outside, or are no files, are refused."""
    if archive.name.endswith(TAR):
        with tarfile.open(archive) as tar:
            tar.extractall(into, filter="data")
    else:
        with zipfile.ZipFile(archive) as zipped:
            zipped.extractall(into)  # noqa: S202 - it leaves out what leads outside
