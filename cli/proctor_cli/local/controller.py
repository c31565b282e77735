"""Level-triggered reconciliation of the built-in kinds, in the event loop's own thread."""

import asyncio
from collections.abc import Callable

from proctor_operator.cluster import Ref


class Queue:
    """Calls `sync` once for any number of changes to an object, soon after the first."""

    def __init__(self, sync: Callable[[Ref], float | None]) -> None:
        self._sync = sync
        self._due: set[Ref] = set()
        self._timers: dict[Ref, asyncio.TimerHandle] = {}
        self._closed = False

    def add(self, ref: Ref) -> None:
        """Have `ref` looked at; what `sync` returns is when to look again, in seconds."""
        if ref in self._due or self._closed:
            return
        self._due.add(ref)
        asyncio.get_running_loop().call_soon(self._run, ref)

    def close(self) -> None:
        """Look at nothing more."""
        self._closed = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _run(self, ref: Ref) -> None:
        self._due.discard(ref)
        if self._closed:
            return
        if timer := self._timers.pop(ref, None):
            timer.cancel()
        again = self._sync(ref)
        if again is not None:
            loop = asyncio.get_running_loop()
            self._timers[ref] = loop.call_later(max(again, 0), self.add, ref)
