"""The end of the chain: the target, asked with the API key as the chain has left it."""

from dataclasses import replace

from proctor_harness.adapter.http.incoming import NoAnswerError
from proctor_harness.adapter.http.pool import Pool
from proctor_harness.adapter.http.wire import HOP_BY_HOP
from proctor_harness.adapter.messages import (
    Endpoint,
    Headers,
    Interceptor,
    Origin,
    Request,
    Response,
    error_response,
)

AUTHORIZATION = b"authorization"
CLIENTS_OWN = HOP_BY_HOP | frozenset(
    (b"host", AUTHORIZATION, b"accept-encoding", b"content-length", b"expect")
)
"""What the harness says to the adapter, not to the target; above all, a made-up API key."""


def from_client(headers: Headers) -> Headers:
    """The harness's headers, as far as they are meant for the target."""
    return tuple([pair for pair in headers if pair[0] not in CLIENTS_OWN])


def authorization(api_key: str | None) -> Headers:
    """The key's header, with which each request enters the chain."""
    return ((AUTHORIZATION, f"Bearer {api_key}".encode()),) if api_key else ()


def bearing(headers: Headers) -> Interceptor:
    """The interceptor that puts headers on a request which passes the chain by."""

    async def intercept(request: Request, call_next: Endpoint) -> Response:
        return await call_next(replace(request, headers=request.headers + headers))

    return intercept


def once_authorized(headers: Headers, run: Headers) -> Headers:
    """The headers without the run's key where an interceptor has put another beside it."""
    if all(pair[0] != AUTHORIZATION or pair in run for pair in headers):
        return headers
    return tuple(pair for pair in headers if pair not in run)


class Upstream:
    """Asks the target once for each call."""

    def __init__(self, pool: Pool, api_key: str | None, timeout_seconds: float) -> None:
        self._pool = pool
        self._authorization = authorization(api_key)
        self._timeout_seconds = timeout_seconds

    async def __call__(self, request: Request) -> Response:
        """Ask; a target that gives no answer is a 502 or 504 in OpenAI's shape."""
        try:
            return await self._pool.send(
                request.method,
                request.target,
                self._headers(request.headers),
                request.body.raw,
                self._timeout_seconds,
            )
        except TimeoutError as error:
            return self._unanswered(504, error)
        except (NoAnswerError, OSError) as error:
            return self._unanswered(502, error)

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.close()

    def _headers(self, headers: Headers) -> Headers:
        # An interceptor's authorization is meant: it is how gateways are asked.
        found = once_authorized(headers, self._authorization)
        # What is logged and stored must be readable.
        return (*found, (b"accept-encoding", b"identity"))

    def _unanswered(self, status: int, error: Exception) -> Response:
        cause = str(error) or type(error).__name__
        message = f"no answer from {self._pool.server.authority}: {cause}"
        return error_response(status, "upstream_error", message, origin=Origin.NOBODY)
