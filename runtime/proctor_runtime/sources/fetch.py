"""``python -m proctor_runtime fetch``: fill a volume with a model, once."""

import fcntl
import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from proctor_runtime.failure import RejectedError
from proctor_runtime.sources.download import download, storage_error
from proctor_runtime.sources.partial import NOTES, UNPACKED, forget_others
from proctor_runtime.sources.placed import place, refuse_blocked
from proctor_runtime.sources.protocol import RemoteFile, Source
from proctor_runtime.sources.settings import FetchSettings

logger = logging.getLogger(__name__)


def fetch(settings: FetchSettings) -> None:
    """Fetch what is not there yet; a process that was killed is taken up where it was."""
    logger.info("%s is to be at %s", settings.location, settings.to)
    bring(opened(settings), settings.to, settings.part_mib << 20)


def bring(source: Source, root: Path, part_bytes: int) -> None:
    """Fill `root` with the model; an earlier version stays whole until all of it has arrived."""
    (root / NOTES).mkdir(parents=True, exist_ok=True)
    with alone(root):
        files = source.files()
        finished, wanted = root / NOTES / "finished", identity(files)
        if finished.is_file() and finished.read_text("utf-8") == wanted:
            logger.info("the model is there already")
            return
        fetched = download(source, files, root, part_bytes=part_bytes)
        try:
            model = arranged(source, files, fetched, root)
            refuse_blocked(root, model)
            finished.unlink(missing_ok=True)
            place(root, model)
            forget_others(root, model)
            finished.write_text(wanted, "utf-8")
        except OSError as error:
            raise storage_error(root, error) from error
        logger.info("the model is complete: %d files", len(model))


def arranged(
    source: Source, files: Sequence[RemoteFile], fetched: dict[str, Path], root: Path
) -> dict[str, Path]:
    """Make the model of what was fetched; what it cannot be made of is fetched anew next time."""
    try:
        return source.arrange(fetched, root / UNPACKED)
    except RejectedError:
        # What has the checksum that it should have would come the same again.
        forget_others(root, [file.path for file in files if file.checksum])
        raise


def opened(settings: FetchSettings) -> Source:
    """Open the source; each brings its own client, which is slow to import."""
    match settings.source:
        case "s3":
            from proctor_runtime.sources.s3 import S3Source  # noqa: PLC0415

            return S3Source(settings.location, settings.endpoint)
        case "http":
            from proctor_runtime.sources.http import HttpSource  # noqa: PLC0415

            return HttpSource(settings.location, settings.sha256, settings.token)
    from proctor_runtime.sources.hugging_face import HuggingFaceSource  # noqa: PLC0415

    return HuggingFaceSource(
        settings.location,
        settings.revision,
        settings.endpoint,
        settings.token,
        only=settings.checkpoint_format,
    )


@contextmanager
def alone(root: Path) -> Iterator[None]:
    """Keep other pods with the same volume waiting; the system lets go if this one dies."""
    with (root / NOTES / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def identity(files: Sequence[RemoteFile]) -> str:
    """Stand for what a source has: the same files in the same versions."""
    listed = sorted((file.path, file.size, file.version) for file in files)
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()
