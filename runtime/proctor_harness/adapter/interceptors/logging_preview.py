"""``logging``: logs the beginning of each question and answer."""

import logging
import time
from functools import partial

from proctor_harness.adapter.configuration import InterceptorConfig
from proctor_harness.adapter.content import Content
from proctor_harness.adapter.logs import shown_body
from proctor_harness.adapter.messages import Endpoint, Interceptor, Request, Response
from proctor_harness.adapter.rewrite import watched
from proctor_harness.adapter.site import Site

PREVIEW_CHARACTERS = 512

logger = logging.getLogger(__name__)


class Config(InterceptorConfig):
    """Fields of ``logging``."""


def build(_: Config, __: Site) -> Interceptor:
    """Log each exchange."""
    return intercept


async def intercept(request: Request, call_next: Endpoint) -> Response:
    """Log the question, then its answer."""
    preview = shown_body(request.body, PREVIEW_CHARACTERS)
    logger.info("request %s %s body=%s", request.method, request.target, preview)
    started = time.perf_counter()
    return await watched(await call_next(request), partial(_log, started))


def _log(started: float, response: Response, body: Content) -> None:
    milliseconds = (time.perf_counter() - started) * 1000
    preview = shown_body(body, PREVIEW_CHARACTERS)
    logger.info("response %d after %.2f ms body=%s", response.status, milliseconds, preview)
