"""A work queue as controllers need it: each key once, never twice at a time, failures later.

The semantics are those of client-go's `workqueue`: a key added while it waits is one entry, a key
added while it is worked on is worked on again afterwards, and a key that fails comes back after an
exponential delay that its next success resets.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from proctor_operator.cluster import ClusterError
from proctor_operator.routing import Key

log = structlog.get_logger()

FIRST_RETRY = timedelta(milliseconds=200)
LONGEST_RETRY = timedelta(minutes=5)
Work = Callable[[Key], Awaitable[timedelta | None]]
"""Handles a key; returns when to come back though nothing happens, or None."""


class WorkQueue:
    """Runs `work` for each key added, at most `workers` at a time."""

    def __init__(self, work: Work, workers: int = 16) -> None:
        self._work = work
        self._workers = workers
        self._ready: asyncio.Queue[Key] = asyncio.Queue()
        self._waiting: set[Key] = set()
        self._active: dict[Key, float] = {}
        self._again: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._timers: dict[Key, asyncio.TimerHandle] = {}

    def add(self, key: Key) -> None:
        """Have `key` worked on soon."""
        if key in self._active:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            self._ready.put_nowait(key)

    def add_after(self, key: Key, delay: timedelta) -> None:
        """Have `key` worked on after `delay`; a later call replaces an earlier one."""
        self._forget_timer(key)
        loop = asyncio.get_running_loop()
        self._timers[key] = loop.call_later(delay.total_seconds(), self._due, key)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._workers):
                group.create_task(self._worker())

    def depth(self) -> int:
        """How many keys wait to be worked on (timers aside)."""
        return len(self._waiting)

    def slowest(self) -> tuple[Key, timedelta] | None:
        """The key that has been worked on for the longest, and for how long."""
        if not self._active:
            return None
        key, since = min(self._active.items(), key=lambda item: item[1])
        return key, timedelta(seconds=asyncio.get_running_loop().time() - since)

    def _due(self, key: Key) -> None:
        self._timers.pop(key, None)
        self.add(key)

    def _forget_timer(self, key: Key) -> None:
        timer = self._timers.pop(key, None)
        if timer:
            timer.cancel()

    async def _worker(self) -> None:
        while True:
            key = await self._ready.get()
            self._waiting.discard(key)
            self._active[key] = asyncio.get_running_loop().time()
            try:
                await self._handle(key)
            finally:
                del self._active[key]
            if key in self._again:
                self._again.discard(key)
                self.add(key)

    async def _handle(self, key: Key) -> None:
        self._forget_timer(key)
        try:
            delay = await self._work(key)
        except ClusterError as error:
            self._retry(key, str(error))
        except Exception:
            # A defect in reconciling one object must not stop the others.
            log.exception("reconcile failed", kind=key.kind, namespace=key.namespace, name=key.name)
            self._retry(key, "defect")
        else:
            self._failures.pop(key, None)
            if delay is not None:
                self.add_after(key, delay)

    def _retry(self, key: Key, why: str) -> None:
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay = backoff(failures)
        log.warning("reconcile again", key=str(key), why=why, after_seconds=delay.total_seconds())
        self.add_after(key, delay)


def backoff(failures: int) -> timedelta:
    """The delay after so many failures in a row, doubling up to a bound."""
    return min(FIRST_RETRY * (1 << min(failures, 20)), LONGEST_RETRY)
