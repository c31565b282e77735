"""``log_tokens``: logs what each answer cost."""

import logging
import time
from functools import partial

from proctor_harness.adapter import openai, sse
from proctor_harness.adapter.configuration import InterceptorConfig
from proctor_harness.adapter.content import Content
from proctor_harness.adapter.messages import Endpoint, Interceptor, Request, Response
from proctor_harness.adapter.rewrite import watched
from proctor_harness.adapter.site import Site

logger = logging.getLogger(__name__)


class Config(InterceptorConfig):
    """Fields of ``log_tokens``."""


def build(_: Config, __: Site) -> Interceptor:
    """Log each answer that says what it cost."""
    return intercept


async def intercept(request: Request, call_next: Endpoint) -> Response:
    """Pass on, and log."""
    started = time.perf_counter()
    return await watched(await call_next(request), partial(_log, started))


def _log(started: float, response: Response, body: Content) -> None:
    answer = sse.answer(response.headers, body) if b'"usage"' in body.raw else None
    if answer and isinstance(answer.get("usage"), dict):
        used = openai.counts(answer["usage"])
        logger.info(
            "tokens model=%s prompt=%s completion=%s total=%s latency_ms=%.2f",
            answer.get("model", "?"),
            used.get("prompt_tokens"),
            used.get("completion_tokens"),
            used.get("total_tokens"),
            (time.perf_counter() - started) * 1000,
        )
