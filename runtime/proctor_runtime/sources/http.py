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
from proctor_runtime.sources.protocol import RemoteFile, UnreachableError
from proctor_runtime.sources.web import client, read_range, require_success

LISTING = "SHA256SUMS"
LISTING_BYTES = 16 << 20
LINE = re.compile(r"([0-9a-fA-F]{64}) [ *](?:\./)?(.+)")
TOTAL = re.compile(r"bytes 0-0/(\d+)")


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
        condition = {"If-Range": file.version} if file.version.startswith('"') else {}
        return read_range(self._web, self._place(file.path), start, stop, condition)

    def arrange(self, fetched: dict[str, Path], staging: Path) -> dict[str, Path]:
        """Unpack the archive, if it is one."""
        if self._archive:
            return unpack(fetched[self._archive], self._archive, staging)
        return fetched

    def _place(self, path: str) -> httpx.URL:
        return self._url if self._archive else self._url.join(quote(path))

    def _described(self, path: str, checksum: Checksum | None) -> RemoteFile:
        """Ask for one byte: a signed URL allows no HEAD, and this shows whether there are parts."""
        place = self._place(path)
        try:
            with self._web.stream("GET", place, headers={"Range": "bytes=0-0"}) as answer:
                empty = answer.status_code == 416
                if not empty:
                    require_success(answer)
                headers = answer.headers
        except httpx.TransportError as error:
            raise UnreachableError(f"{place}: {error or type(error).__name__}") from error
        total = TOTAL.fullmatch(headers.get("Content-Range", ""))
        length = "0" if empty else total[1] if total else headers.get("Content-Length")
        digits = checksum.digits if checksum else ""
        version = headers.get("ETag") or headers.get("Last-Modified") or digits
        return RemoteFile(
            path=path,
            size=int(length) if length else None,
            version=version,
            checksum=checksum,
            # Parts of what might be another file tomorrow cannot be put together.
            divisible=bool(version) and (empty or total is not None),
        )

    def _listing(self) -> dict[str, Checksum]:
        """Read the list, and compare it with its own checksum if that is known."""
        text = bytearray()
        for chunk in read_range(self._web, self._url, 0, None, {}):
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
