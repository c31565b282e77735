"""The per-item log: one JSON line per request."""

from datetime import UTC, datetime
from itertools import count
from typing import Any

import msgspec

from proctor_harness.adapter.disk import DiskFullError, Journal
from proctor_harness.adapter.messages import Origin
from proctor_harness.adapter.traffic import Exchange

ITEM_LOG_FILE = "requests.jsonl"

_encode = msgspec.json.Encoder().encode


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

    def _line(self, exchange: Exchange) -> dict[str, Any]:
        at = datetime.fromtimestamp(exchange.ended - exchange.seconds, UTC)
        line = {
            "id": next(self._ids),
            "session": self._session,
            "ts": at.isoformat(timespec="milliseconds"),
            "path": exchange.target,
            "status": exchange.status,
            "latency_ms": round(exchange.seconds * 1000, 2),
            "sha256": exchange.digest,
            "items": exchange.items,
            "cached": True if exchange.origin is Origin.CACHE else None,
            "usage": exchange.usage,
            "flags": sorted(exchange.flags) or None,
            "error": exchange.error,
        }
        return {key: value for key, value in line.items() if value is not None}
