"""A model behind an HTTP URL: an archive, or a list of files as ``sha256sum`` writes it."""

import hashlib
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote

import httpx

from proctor_crds.reasons import Reason
from proctor_runtime.failure import RejectedError
from proctor_runtime.sources.archive import SUFFIXES, unpack
from proctor_runtime.sources.checksum import Checksum
from proctor_runtime.sources.download import WORKERS
from proctor_runtime.sources.protocol import RemoteFile
from proctor_runtime.sources.web import (
    CHUNK,
    ONE_BYTE,
    answered,
    changed,
    client,
    range_of,
    require_part,
    require_success,
)

LISTING = "SHA256SUMS"
LISTING_BYTES = 16 << 20
LINE = re.compile(r"([0-9a-fA-F]{64}) [ *](?:\./)?(.+)")
TOTAL = re.compile(r"bytes 0-0/(\d+)")
STRONG = re.compile(r'"[^"]*"')
"""An ETag that is another one whenever a byte is."""


class HttpSource:
    """An archive, or the files of a list, whose names are relative to the list's URL."""

    def __init__(self, url: str, sha256: str | None, token: str | None) -> None:
        self._url = httpx.URL(f"{url}{LISTING}" if url.endswith("/") else url)
        self._sha256 = sha256
        self._web = client(token)
        name = unquote(PurePosixPath(self._url.path).name)
        self._archive = name if name.endswith(SUFFIXES) else None

    def files(self) -> list[RemoteFile]:
        """Find out what there is, and how long it is."""
        if self._archive:
            checksum = Checksum("sha256", self._sha256) if self._sha256 else None
            return [self._described(self._archive, checksum)]
        listing = self._listing()
        with ThreadPoolExecutor(WORKERS) as pool:
            return list(pool.map(self._described, listing.keys(), listing.values()))

    def read(self, file: RemoteFile, start: int, stop: int | None) -> Iterator[bytes]:
        """Yield a part of a file, as long as it is still the one that was described."""
        wanted = range_of(file, start, stop)
        if wanted and STRONG.fullmatch(file.version):
            wanted["If-Range"] = file.version
        with answered(self._web, self._place(file.path), wanted) as answer:
            require_success(answer)
            require_part(answer, file, start)
            require_version(answer, file)
            yield from answer.iter_raw(CHUNK)

    def arrange(self, fetched: dict[str, Path], staging: Path) -> dict[str, Path]:
        """Unpack the archive, if it is one."""
        if self._archive:
            return unpack(fetched[self._archive], self._archive, staging)
        return fetched

    def _place(self, path: str) -> httpx.URL:
        return self._url if self._archive else self._url.join(quote(path))

    def _described(self, path: str, checksum: Checksum | None) -> RemoteFile:
        """Ask for one byte: a signed URL allows no HEAD, and this shows whether there are parts."""
        with answered(self._web, self._place(path), ONE_BYTE) as answer:
            if answer.status_code != 416:
                require_success(answer)
        size, version = size_of(answer), version_of(answer.headers)
        digits = checksum.digits if checksum else ""
        return RemoteFile(
            path=path,
            size=size,
            version=version or digits,
            checksum=checksum,
            # Of two versions that another validator takes for one, as a date does within its
            # second, parts could be put together, and only a checksum would tell.
            divisible=answer.status_code in (206, 416)
            and size is not None
            and bool(digits or STRONG.fullmatch(version)),
        )

    def _listing(self) -> dict[str, Checksum]:
        """Read the list, and compare it with its own checksum if that is known."""
        text = bytearray()
        with answered(self._web, self._url, {}) as answer:
            require_success(answer)
            for chunk in answer.iter_raw(CHUNK):
                text += chunk
                if len(text) > LISTING_BYTES:
                    raise self._no_listing(f"it is longer than {LISTING_BYTES} bytes")
        found = hashlib.sha256(text).hexdigest()
        if self._sha256 and found != self._sha256:
            raise RejectedError(
                Reason.CHECKPOINT_CORRUPT,
                f"{self._url}: its sha256 is {found}, and {self._sha256} was asked for",
            )
        lines = text.decode(errors="replace").splitlines()
        matches = [LINE.fullmatch(line) for line in lines if line.strip()]
        if not matches or not all(matches):
            raise self._no_listing("it has other lines than sha256sum writes")
        return {m[2]: Checksum("sha256", m[1].lower()) for m in matches if m}

    def _no_listing(self, why: str) -> RejectedError:
        return RejectedError(
            Reason.CHECKPOINT_UNSUPPORTED,
            f"{self._url} is neither an archive ({', '.join(SUFFIXES)}) nor a list of files as"
            f" sha256sum writes it: {why}",
        )


def size_of(answer: httpx.Response) -> int | None:
    """Return a file's size, from the answer to a request for its first byte."""
    if answer.status_code == 416:
        return 0
    total = TOTAL.fullmatch(answer.headers.get("Content-Range", ""))
    if total:
        return int(total[1])
    # Of a part, it is the part's.
    length = answer.headers.get("Content-Length") if answer.status_code == 200 else None
    return int(length) if length else None


def version_of(headers: httpx.Headers) -> str:
    """Return the best that a server says of a file's version; empty if it says nothing."""
    return headers.get("ETag") or headers.get("Last-Modified") or ""


def require_version(answer: httpx.Response, file: RemoteFile) -> None:
    """Raise where what may be put together with other answers is of another version than they."""
    # Servers that know no If-Range give parts of whatever there is. Those that know it have to
    # repeat the ETag, and may leave out the rest.
    by_tag = STRONG.fullmatch(file.version)
    told = answer.headers.get("ETag", "") if by_tag else version_of(answer.headers)
    if file.divisible and told and told != file.version:
        raise changed(answer)
