"""Reading parts of files over HTTP."""

from collections.abc import Iterator, Mapping

import httpx

from proctor_crds.reasons import Reason
from proctor_runtime.failure import RejectedError
from proctor_runtime.sources.protocol import UnreachableError

CHUNK = 1 << 20
TIMEOUT = httpx.Timeout(60, connect=15)
MISSING = (404, 410)
DENIED = (401, 403)


def client(token: str | None) -> httpx.Client:
    """Open a client that follows redirects, and shows the token to nobody but the first host."""
    headers = {"Accept-Encoding": "identity", "User-Agent": "proctor"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return httpx.Client(follow_redirects=True, headers=headers, timeout=TIMEOUT)


def read_range(
    web: httpx.Client, url: httpx.URL, start: int, stop: int | None, headers: Mapping[str, str]
) -> Iterator[bytes]:
    """Yield some bytes of a file, by a range request unless it is asked for from its beginning."""
    wanted = {**headers}
    if start or stop is not None:
        wanted["Range"] = f"bytes={start}-{'' if stop is None else stop - 1}"
    try:
        with web.stream("GET", url, headers=wanted) as response:
            require_success(response)
            if "Range" in wanted and response.status_code != 206:
                raise UnreachableError(f"{url} has changed, or gives no parts any more")
            yield from response.iter_raw(CHUNK)
    except httpx.TransportError as error:
        raise UnreachableError(f"{url}: {error or type(error).__name__}") from error


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
