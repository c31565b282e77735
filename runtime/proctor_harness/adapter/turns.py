"""Which answer a repeated question gets.

A harness that draws k samples sends the same request k times. Each is an item of its own: the n-th
asking gets the n-th answer, so a resumed evaluation gets back what it had, in number. A turn is
used up by an answer that reached the harness; one that failed, or that nobody waited for, falls
to the next asking of its question, which is how a retry is the same item and not another.
"""

import heapq
from typing import NamedTuple


class Slot(NamedTuple):
    """Whose answer: the question's key, and how often the question was asked before."""

    key: bytes
    turn: int = 0

    @property
    def packed(self) -> bytes:
        """For an index: a third of the memory."""
        return self.key + self.turn.to_bytes(4, "big")


class Turns:
    """Hands out turns: for each question the lowest that is free."""

    def __init__(self) -> None:
        self._next: dict[bytes, int] = {}
        self._free: dict[bytes, list[int]] = {}

    def take(self, key: bytes) -> Slot:
        """A turn, until it is given back or for good."""
        if free := self._free.get(key):
            turn = heapq.heappop(free)
            if not free:
                del self._free[key]
            return Slot(key, turn)
        turn = self._next.get(key, 0)
        self._next[key] = turn + 1
        return Slot(key, turn)

    def give_back(self, slot: Slot) -> None:
        """Nobody was answered at this turn."""
        heapq.heappush(self._free.setdefault(slot.key, []), slot.turn)

    def use_up(self, slot: Slot) -> None:
        """Somebody was answered at this turn before."""
        following = self._next.get(slot.key, 0)
        free = {*self._free.pop(slot.key, []), *range(following, slot.turn)} - {slot.turn}
        if free:
            self._free[slot.key] = sorted(free)  # which is a heap
        self._next[slot.key] = max(following, slot.turn + 1)
