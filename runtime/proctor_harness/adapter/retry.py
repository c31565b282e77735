"""Asking again after a failure of infrastructure, within limits."""

import asyncio
import random
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from proctor_harness.adapter.messages import (
    Endpoint,
    Origin,
    Request,
    Response,
    discard,
    error_response,
    header,
)

FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 60.0
LONGEST_ASKED_SECONDS = 600.0
"""A server that asks for more (a spent daily quota, say) is not waited for."""


RETRIED_STATUSES = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often, after what, and for how long in all."""

    max_retries: int = 0
    statuses: frozenset[int] = RETRIED_STATUSES
    total_seconds: float | None = None
    """Budget of one request with its retries and waits; None leaves the retries as the limit."""


@dataclass(slots=True)
class Retry:
    """The interceptor around each single attempt."""

    policy: RetryPolicy
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    draw: Callable[[], float] = field(default=random.random)
    utc_now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))

    async def __call__(self, request: Request, call_next: Endpoint) -> Response:
        """Answer with the first attempt that did not fail, or with the last that may be made."""
        budget = self.policy.total_seconds
        if budget is None:
            return await self._attempts(request, call_next, None)
        try:
            async with asyncio.timeout(budget) as timeout:
                return await self._attempts(request, call_next, timeout.when())
        except TimeoutError:
            message = f"no answer within the budget of {budget:g} s for one request"
            return error_response(504, "upstream_error", message, origin=Origin.NOBODY)

    async def _attempts(
        self, request: Request, call_next: Endpoint, deadline: float | None
    ) -> Response:
        for retry in range(self.policy.max_retries):
            response = await call_next(request)
            if not self._failed(response):
                return response
            wait = self._wait(response, retry)
            if wait > LONGEST_ASKED_SECONDS or _passes(deadline, wait):
                return response  # the client may as well know now
            await discard(response)
            await self.sleep(wait)
        return await call_next(request)

    def _failed(self, response: Response) -> bool:
        return response.origin is Origin.NOBODY or response.status in self.policy.statuses

    def _wait(self, response: Response, retry: int) -> float:
        """Seconds before the next attempt: what the server asks for, but at least a jittered one.

        The jitter spreads over half of the exponential step, so that clients that failed together
        do not come back together.
        """
        step = min(FIRST_WAIT_SECONDS * 2.0 ** min(retry, 16), LONGEST_WAIT_SECONDS)
        jittered = step * (0.5 + self.draw() / 2)
        asked = retry_after_seconds(header(response.headers, b"retry-after"), self.utc_now())
        return max(jittered, asked)


def _passes(deadline: float | None, wait: float) -> bool:
    return deadline is not None and asyncio.get_running_loop().time() + wait >= deadline


def retry_after_seconds(value: bytes, now: datetime) -> float:
    """Seconds that a Retry-After header asks for, given as a number or a date; 0 if neither."""
    text = value.decode("latin-1").strip()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    try:
        then = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    return max((then.replace(tzinfo=then.tzinfo or UTC) - now).total_seconds(), 0.0)
