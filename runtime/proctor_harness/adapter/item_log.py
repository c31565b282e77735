"""The per-item log: one JSON line per request, written in batches by a thread."""

import asyncio
import json
import logging
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from proctor_harness.adapter.traffic import Exchange

FLUSH_SECONDS = 0.5

logger = logging.getLogger(__name__)


class ItemLog:
    """An append-only JSON Lines file. It holds no header of any request, hence no API key."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ids = count(1)
        self._pending: list[dict[str, Any]] = []
        self._flusher: asyncio.Task[None] | None = None

    def record(self, exchange: Exchange) -> None:
        """Queue one exchange for the next batch."""
        self._pending.append(_line(next(self._ids), exchange))

    async def open(self) -> None:
        """Start writing."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._flusher = asyncio.create_task(self._flush_forever())

    async def close(self) -> None:
        """Stop, and write what is left."""
        if self._flusher:
            self._flusher.cancel()
            with suppress(asyncio.CancelledError):
                await self._flusher
        self._write(self._take())

    async def _flush_forever(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            # Shielded, because a batch once taken must be written even if we are told to stop.
            if batch := self._take():
                await asyncio.shield(asyncio.to_thread(self._write, batch))

    def _take(self) -> list[dict[str, Any]]:
        batch, self._pending = self._pending, []
        return batch

    def _write(self, batch: list[dict[str, Any]]) -> None:
        lines = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in batch)
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(lines)
        except OSError:
            # The log explains an evaluation; a full disk must not be what ends it.
            logger.exception("lost %d lines of %s", len(batch), self._path)


def _line(number: int, exchange: Exchange) -> dict[str, Any]:
    line = {
        "id": number,
        "ts": exchange.at.isoformat(timespec="milliseconds"),
        "path": exchange.target,
        "status": exchange.status,
        "latency_ms": round(exchange.seconds * 1000, 2),
        "sha256": exchange.digest,
        "items": exchange.items,
        "usage": exchange.usage,
        "error": exchange.error,
    }
    return {key: value for key, value in line.items() if value is not None}
