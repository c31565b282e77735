"""How far the evaluation is, and which of its requests are without a good answer.

A harness retries. So a failed request is evidence only while the same question (method, target and
digest of the body) has not been answered by a later attempt: one that began after the failure, for
another sample of the same prompt may have been on its way already.
"""

import time
import uuid
from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

from pydantic import Field

from proctor_crds.base import Model
from proctor_crds.results import Flagged
from proctor_harness.adapter.flags import Flag
from proctor_harness.adapter.messages import Origin
from proctor_harness.adapter.traffic import ABANDONED, Exchange

RETRYABLE_CLIENT_ERRORS = frozenset({408, 425, 429})
DENIALS = frozenset({401, 402, 403, 404, 405, 410})
NOTICED_SECONDS = 1.0
"""A client that left may have asked again before it is noticed."""


class Trouble(StrEnum):
    """Why a request has no answer."""

    UNAVAILABLE = "unavailable"
    """The target is unreachable, overloaded or broken (5xx, 429): its surroundings failed."""
    REJECTED = "rejected"
    """The target refused a question (other 4xx, such as 400): asking again does not help."""
    DENIED = "denied"
    """It refused whoever asks, or has no such page or model: that says nothing of a question."""
    REFUSED = "refused"
    """An interceptor refused it by its rule, such as a budget of turns."""
    ABANDONED = "abandoned"
    """The harness left before the answer to a question: it timed out, or it crashed."""
    ADAPTER = "adapter"
    """An interceptor failed: neither the model nor the target is to blame."""


class Unanswered(Model):
    """The questions that have no good answer so far, counted by their last attempt."""

    unavailable: int = 0
    rejected: int = 0
    denied: int = 0
    refused: int = 0
    abandoned: int = 0
    adapter: int = 0


class Snapshot(Model):
    """The adapter's ``/progress``."""

    process: str = ""
    """Which process counted: one that is started anew does not know what became of the others'."""
    asked: int = 0
    """Requests that asked the model something, answered or not."""
    done: int = 0
    """Items answered."""
    total: int | None = None
    """Items in all, once the harness has said so."""
    cached: int = 0
    """Of `done`, those whose answer was stored before."""
    failed: int = 0
    """Requests, retries included, that got no good answer."""
    unanswered: Unanswered = Unanswered()
    flagged: Flagged = Flagged()
    longest_abandoned_seconds: float = 0.0
    last_error: str | None = None


class Announcement(Model):
    """What the harness may post to ``/progress``."""

    total: int = Field(ge=0)


def trouble(status: int, origin: Origin = Origin.TARGET) -> Trouble:
    """Name what a status that is not 2xx means."""
    if status == ABANDONED:
        return Trouble.ABANDONED
    if origin is Origin.ADAPTER:
        return Trouble.ADAPTER if status >= 500 else Trouble.REFUSED
    if status >= 500 or status in RETRYABLE_CLIENT_ERRORS:
        return Trouble.UNAVAILABLE
    return Trouble.DENIED if status in DENIALS else Trouble.REJECTED


class Open(NamedTuple):
    """The last failure of a question that has no answer."""

    trouble: Trouble
    seconds: float
    failed_at: float

    def settled_by(self, began: float) -> bool:
        """Whether an answered asking that began then is a later attempt."""
        slack = NOTICED_SECONDS if self.trouble is Trouble.ABANDONED else 0.0
        return began >= self.failed_at - slack


class Progress:
    """The running count; `monotonic` is the clock of exchanges, which are told as they end."""

    def __init__(self, monotonic: Callable[[], float] = time.perf_counter) -> None:
        self._monotonic = monotonic
        self._process = uuid.uuid4().hex
        self.total: int | None = None
        self._asked = 0
        self._done = 0
        self._cached = 0
        self._failed = 0
        self._flagged: Counter[Flag] = Counter()
        self._unanswered: dict[tuple[str, str, str], Open] = {}
        self._last_error: str | None = None

    def record(self, exchange: Exchange) -> None:
        """Count one exchange."""
        question = (exchange.method, exchange.target, exchange.digest)
        now = self._monotonic()
        self._asked += exchange.asks
        if exchange.answered:
            self._done += exchange.items
            self._cached += exchange.items if exchange.origin is Origin.CACHE else 0
            self._flagged.update(exchange.flags)
            failed = self._unanswered.get(question)
            if failed and failed.settled_by(now - exchange.seconds):
                del self._unanswered[question]
            return
        self._failed += 1
        kind = trouble(exchange.status, exchange.origin)
        if _leaves_open(exchange, kind):
            self._unanswered[question] = Open(kind, exchange.seconds, now)
        # A crashing harness drops its other requests: that must not hide why it crashed.
        if exchange.status != ABANDONED or self._last_error is None:
            where = f"{exchange.method} {exchange.target}: HTTP {exchange.status}"
            self._last_error = f"{where}: {exchange.error}" if exchange.error else where

    def snapshot(self) -> Snapshot:
        """The state now."""
        still = self._unanswered.values()
        kinds = [one.trouble for one in still]
        abandoned = [one.seconds for one in still if one.trouble is Trouble.ABANDONED]
        return Snapshot(
            process=self._process,
            asked=self._asked,
            # A long document of a rolling task takes more requests than the estimate says.
            done=self._done if self.total is None else min(self._done, self.total),
            total=self.total,
            cached=self._cached,
            failed=self._failed,
            unanswered=Unanswered(**{kind.value: kinds.count(kind) for kind in Trouble}),
            flagged=Flagged(**{_field(flag): n for flag, n in self._flagged.items()}),
            longest_abandoned_seconds=max(abandoned, default=0.0),
            last_error=self._last_error,
        )


def _leaves_open(exchange: Exchange, kind: Trouble) -> bool:
    """Whether a score may lack its answer; pages that clients look for first ask nothing.

    Many servers lack those pages, and many clients do not wait for them long.
    """
    return exchange.asks or kind not in (Trouble.REJECTED, Trouble.DENIED, Trouble.ABANDONED)


def _field(flag: Flag) -> str:
    return flag.name.lower()
