"""How a request fails: loudly, and so that no client takes its end for the model's answer."""

import logging
from collections.abc import Collection
from functools import partial

from proctor_harness.adapter.content import Content
from proctor_harness.adapter.errors import InterceptorError, RefusedError
from proctor_harness.adapter.logs import shown_body, shown_headers
from proctor_harness.adapter.messages import (
    BrokenAnswerError,
    Endpoint,
    Origin,
    Request,
    Response,
    error_response,
)
from proctor_harness.adapter.rewrite import watched

logger = logging.getLogger(__name__)


async def fail_closed(request: Request, call_next: Endpoint) -> Response:
    """The interceptor that makes an answer of whatever ended a request."""
    try:
        return await call_next(request)
    except InterceptorError as error:
        logger.exception("%s %s", request.method, request.target)
        return error_response(500, "adapter_error", str(error), "interceptor_failed")
    except BrokenAnswerError as error:
        return broken_off(error)
    except RefusedError as error:
        kind = "adapter_error" if error.status >= 500 else "invalid_request_error"
        return error_response(error.status, kind, str(error), error.code)


def broken_off(error: BrokenAnswerError) -> Response:
    """What is answered instead, where nothing went out yet."""
    message = f"the answer broke off: {error}"
    return error_response(502, "upstream_error", message, origin=Origin.NOBODY)


class LogFailed:
    """The interceptor that logs question and answer of what failed."""

    def __init__(self, secrets: Collection[bytes]) -> None:
        self._secrets = secrets

    async def __call__(self, request: Request, call_next: Endpoint) -> Response:
        """Pass on, and log a failure."""
        response = await call_next(request)
        if response.status < 400:
            return response
        return await watched(response, partial(_log, self._secrets, request))


def _log(secrets: Collection[bytes], request: Request, response: Response, body: Content) -> None:
    logger.error(
        "failed request %s %s headers=%s body=%s response %d headers=%s body=%s",
        request.method,
        request.target,
        shown_headers(request.headers, secrets),
        shown_body(request.body),
        response.status,
        shown_headers(response.headers, secrets),
        shown_body(body),
    )
