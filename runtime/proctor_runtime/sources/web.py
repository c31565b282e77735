"""Reading parts of files over HTTP."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx

from proctor_crds.reasons import Reason
from proctor_runtime.failure import RejectedError
from proctor_runtime.sources.protocol import RemoteFile, UnreachableError

CHUNK = 1 << 20
TIMEOUT = httpx.Timeout(60, connect=15)
MISSING = (404, 410)
DENIED = (401, 403)
ONE_BYTE = {"Range": "bytes=0-0"}
CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


def client(token: str | None) -> httpx.Client:
    """Open a client that follows redirects, and shows the token to nobody but the first host."""
    headers = {"Accept-Encoding": "identity", "User-Agent": "proctor"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return httpx.Client(follow_redirects=True, headers=headers, timeout=TIMEOUT)


@contextmanager
def answered(
    web: httpx.Client, url: httpx.URL, headers: Mapping[str, str]
) -> Iterator[httpx.Response]:
    """Ask for a file or a part; raise what the network does."""
    try:
        with web.stream("GET", url, headers=headers) as answer:
            yield answer
    except httpx.TransportError as error:
        where = without_query(url)
        raise UnreachableError(f"{where}: {error or type(error).__name__}") from error


def range_of(file: RemoteFile, start: int, stop: int | None) -> dict[str, str]:
    """Ask for a part; a whole file can be had of a server that knows no ranges, too."""
    if start == 0 and stop in (None, file.size):
        return {}
    return {"Range": f"bytes={start}-{'' if stop is None else stop - 1}"}


def require_part(answer: httpx.Response, file: RemoteFile, start: int) -> None:
    """Raise where a server gives all of a file, another part, or a part of another file."""
    if "Range" not in answer.request.headers:
        return
    told = CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    fits = told is None or (int(told[1]) == start and told[2] in ("*", str(file.size)))
    if answer.status_code != 206 or not fits:
        raise changed(answer)


def changed(answer: httpx.Response) -> UnreachableError:
    """Tell that an answer is to another question; the next listing may be of what is there."""
    where = without_query(answer.request.url)
    return UnreachableError(f"{where} has changed, or gives no parts any more")


def require_success(response: httpx.Response) -> None:
    """Raise what a response's status means."""
    status, url = response.status_code, without_query(response.request.url)
    if status in MISSING:
        raise RejectedError(Reason.CHECKPOINT_NOT_FOUND, f"{url} does not exist ({status})")
    if status in DENIED:
        raise RejectedError(
            Reason.SOURCE_DENIED,
            f"{url} wants another credential ({status}); check the Secret that secretRef names",
        )
    if not response.is_success:
        raise UnreachableError(f"{url} answers {status}")


def without_query(url: httpx.URL) -> str:
    """Leave out what may hold a signature."""
    return str(url.copy_with(query=None))
