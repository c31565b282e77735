"""The end of the chain: the target itself, over one pool of kept connections.

aiohttp rather than httpx, which took 2 to 5 times its CPU time (1.0-2.7 ms a request, not 0.5).
"""

import asyncio
from http import HTTPStatus

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from proctor_harness.adapter.messages import (
    Body,
    BrokenAnswerError,
    Headers,
    Request,
    Response,
    header,
    once,
    read,
)
from proctor_harness.adapter.openai import error_body

CONNECT_SECONDS = 10.0
IDLE_SECONDS = 4.0
"""Below the 5 s after which common servers close an idle connection, so that none dies in use."""

SMALL_BODY = 1 << 20
"""Request bodies up to this size leave in one piece with their headers; larger ones stream."""

HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer "
    b"transfer-encoding upgrade".split()
)
REPLACED = HOP_BY_HOP | {b"host", b"authorization", b"accept-encoding"}


class Upstream:
    """Forwards requests to the target, adding the API key."""

    def __init__(self, url: str, api_key: str | None, timeout_seconds: float) -> None:
        self._url = url.rstrip("/")
        self._added = {"accept-encoding": "identity"}  # what we log must be readable
        if api_key:
            self._added["authorization"] = f"Bearer {api_key}"
        # The harness limits the whole request; here only silence is limited.
        self._timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=CONNECT_SECONDS, sock_read=timeout_seconds
        )
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make the pool; it belongs to the running event loop."""
        self._session = aiohttp.ClientSession(
            # How many requests are in flight is the harness's decision.
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_SECONDS),
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("user-agent", "content-type", "accept"),
        )

    async def close(self) -> None:
        """Close the pool."""
        if self._session:
            await self._session.close()

    async def __call__(self, request: Request) -> Response:
        """Forward one request; an unreachable target is a 502 or 504 in OpenAI's shape."""
        try:
            answer = await self._send(request)
        except TimeoutError as error:
            return self._failed(HTTPStatus.GATEWAY_TIMEOUT, error)
        except (aiohttp.ClientError, OSError) as error:
            return self._failed(HTTPStatus.BAD_GATEWAY, error)
        return Response(answer.status, _end_to_end(answer.raw_headers), _stream(answer))

    async def _send(self, request: Request) -> aiohttp.ClientResponse:
        assert self._session is not None, "open() comes first"  # noqa: S101 - a caller's bug
        return await self._session.request(
            request.method,
            URL(self._url + request.target, encoded=True),
            headers=self._headers(request.headers),
            data=await _content(request),
            allow_redirects=False,
        )

    def _headers(self, received: Headers) -> CIMultiDict[str]:
        kept = [
            (k.decode("latin-1"), v.decode("latin-1")) for k, v in received if k not in REPLACED
        ]
        return CIMultiDict(kept + list(self._added.items()))

    def _failed(self, status: HTTPStatus, error: Exception) -> Response:
        cause = str(error) or type(error).__name__
        content = error_body(status, f"no answer from {self._url}: {cause}")
        length = str(len(content)).encode()
        headers = ((b"content-type", b"application/json"), (b"content-length", length))
        return Response(status, headers, once(content))


async def _content(request: Request) -> bytes | Body | None:
    length = header(request.headers, b"content-length")
    if not length:
        chunked = header(request.headers, b"transfer-encoding")
        return request.body if chunked else await read(request.body) or None
    return await read(request.body) if int(length) <= SMALL_BODY else request.body


def _end_to_end(headers: Headers) -> Headers:
    lower = ((name.lower(), value) for name, value in headers)
    return tuple((name, value) for name, value in lower if name not in HOP_BY_HOP)


async def _stream(answer: aiohttp.ClientResponse) -> Body:
    try:
        async for chunk in answer.content.iter_any():
            yield chunk
    except (aiohttp.ClientError, asyncio.IncompleteReadError, OSError) as error:
        raise BrokenAnswerError(str(error) or type(error).__name__) from error
    finally:
        answer.close() if not answer.content.is_eof() else answer.release()
