"""Downloading everything that a source has: in parallel, in parts, from where it was left."""

import errno
import logging
import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import Path, PurePosixPath

from proctor_crds.reasons import Reason
from proctor_runtime.failure import RejectedError
from proctor_runtime.sources.partial import NOTES, Partial, forget_others
from proctor_runtime.sources.protocol import RemoteFile, Source, UnreachableError

logger = logging.getLogger(__name__)

WORKERS = 8
PAUSES = (0.5, 1, 2, 4, 8, 16)
"""Seconds between attempts at a part that does not get on."""
TELL_SECONDS = 10
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def download(
    source: Source,
    files: Sequence[RemoteFile],
    root: Path,
    *,
    part_bytes: int,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Path]:
    """Fetch `files`, each whole and with the checksum that the source has of it.

    Return where each is: below `root`, but none is put in its place, where an earlier version is
    served until the later has arrived. What was on its way and is none of them is removed. They are
    asked for in parts of `part_bytes`. When the process is killed, each worker loses one part at
    most.
    """
    refuse_unsafe(files)
    partials = [Partial(root, file, part_bytes) for file in files]
    try:
        forget_others(root, [file.path for file in files])
        for partial in partials:
            partial.resume()
        require_space(root, sum(partial.bytes_missing() for partial in partials))
        fetch_all(source, [p for p in partials if not p.arrived()], sleep)
    except OSError as error:
        raise storage_error(root, error) from error
    return {partial.file.path: partial.where() for partial in partials}


def refuse_unsafe(files: Sequence[RemoteFile]) -> None:
    """Refuse names that lead out of the model, or that one place cannot hold."""
    paths = [PurePosixPath(file.path) for file in files]
    folders = {parent for path in paths for parent in path.parents}
    for path in paths:
        if path.is_absolute() or not path.name or {"..", NOTES} & {*path.parts} or path in folders:
            raise RejectedError(
                Reason.CHECKPOINT_UNSUPPORTED,
                f"the source has a file {str(path)!r}, which cannot be a file of a model",
            )


def require_space(root: Path, needed: int) -> None:
    """Refuse to begin what the volume cannot hold."""
    free = shutil.disk_usage(root).free
    if needed > free:
        raise RejectedError(
            Reason.VOLUME_FULL,
            f"{gigabytes(needed)} are to be fetched, and the volume at {root} has"
            f" {gigabytes(free)} free; give the pod a larger volume",
        )


def storage_error(root: Path, error: OSError) -> Exception:
    """Tell a full volume from one that fails."""
    if error.errno in FULL:
        return RejectedError(
            Reason.VOLUME_FULL,
            f"the volume at {root} is full ({error.strerror}); give the pod a larger volume",
        )
    return error


def fetch_all(source: Source, partials: Sequence[Partial], sleep: Callable[[float], None]) -> None:
    """Fetch every missing part; the first that fails ends the rest."""
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="fetch") as pool:
        futures: set[Future[None]] = set()
        for partial in partials:
            parts = partial.missing()
            futures |= {pool.submit(fetch_part, source, partial, *p, sleep) for p in parts}
            if not parts:  # an empty file, or one whose checksum was not compared any more
                futures.add(pool.submit(partial.finish))
        await_all(futures, partials)
        pool.shutdown(wait=True, cancel_futures=True)
    for future in futures:
        if not future.cancelled():
            future.result()


def await_all(futures: set[Future[None]], partials: Sequence[Partial]) -> None:
    """Wait for all or for the first that fails, and tell how far it is meanwhile."""
    waiting = futures
    while waiting and not any(f.exception() for f in futures - waiting):
        left = sum(partial.bytes_missing() for partial in partials)
        logger.info("%s of %d files to fetch", gigabytes(left), len(partials))
        _, waiting = wait(waiting, TELL_SECONDS, FIRST_EXCEPTION)


def fetch_part(
    source: Source,
    partial: Partial,
    start: int,
    stop: int | None,
    sleep: Callable[[float], None],
) -> None:
    """Fetch one part, however often the source breaks off as long as it gets on in between."""
    offset, pauses = start, iter(PAUSES)
    while True:
        reached, error = attempt(source, partial, offset, stop)
        if error is None:
            break
        # What cannot be divided cannot be taken up in its middle either.
        again = reached if partial.file.divisible else start
        pauses = iter(PAUSES) if again > offset else pauses
        offset, pause = again, next(pauses, None)
        if pause is None:
            raise error
        logger.warning("%s, byte %d: %s; again in %s s", partial.file.path, offset, error, pause)
        sleep(pause)
    if partial.note(start):
        partial.finish()
        logger.info("fetched %s", partial.file.path)


def attempt(
    source: Source, partial: Partial, offset: int, stop: int | None
) -> tuple[int, UnreachableError | None]:
    """Write what the source gives from `offset` on; return how far that is, and why not further."""
    reached = offset
    try:
        with partial.writing(offset, stop) as data:
            for chunk in source.read(partial.file, offset, stop):
                data.write(chunk)
                reached += len(chunk)
            require_all(partial.file, reached, stop)
    except UnreachableError as error:
        return reached, error
    return reached, None


def require_all(file: RemoteFile, reached: int, stop: int | None) -> None:
    """Raise where a source ended before or after the last byte that was asked for."""
    end = file.size if stop is None else stop
    if end is not None and reached != end:
        raise UnreachableError(f"the source ended at byte {reached} of {end}")


def gigabytes(count: int) -> str:
    """Write an amount for a person."""
    return f"{count / 1e9:.3f} GB"
