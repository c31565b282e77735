"""The per-item log: one JSON line per request."""

from datetime import UTC, datetime
from itertools import count

import msgspec

from proctor_harness.adapter.disk import DiskFullError, Journal
from proctor_harness.adapter.messages import Origin
from proctor_harness.adapter.traffic import Exchange

ITEM_LOG_FILE = "requests.jsonl"

_encode = msgspec.json.Encoder().encode


class Line(msgspec.Struct, omit_defaults=True):
    """A line; what is absent holds its default."""

    id: int
    session: str
    ts: datetime
    """When the request began."""
    path: str
    status: int
    latency_ms: float
    sha256: str
    """Of the request's body: the same question has the same digest."""
    items: int
    cached: bool = False
    """The answer was stored, in this attempt of the evaluation or an earlier one."""
    usage: dict[str, int] | None = None
    flags: list[str] | None = None
    error: str | None = None


class ItemLog:
    """An append-only JSON Lines file. It holds no header of any request, hence no API key."""

    def __init__(self, journal: Journal, session: str) -> None:
        self._journal = journal
        self._session = session
        self._ids = count(1)

    def record(self, exchange: Exchange) -> None:
        """Queue one line."""
        try:
            self._journal.append(_encode(self._line(exchange)))
        except DiskFullError:
            # The log explains an evaluation; a full disk must not be what ends it.
            return

    def _line(self, exchange: Exchange) -> Line:
        return Line(
            id=next(self._ids),
            session=self._session,
            ts=datetime.fromtimestamp(exchange.ended - exchange.seconds, UTC),
            path=exchange.target,
            status=exchange.status,
            latency_ms=round(exchange.seconds * 1000, 2),
            sha256=exchange.digest,
            items=exchange.items,
            cached=exchange.origin is Origin.CACHE,
            usage=exchange.usage,
            flags=sorted(exchange.flags) or None,
            error=exchange.error,
        )
