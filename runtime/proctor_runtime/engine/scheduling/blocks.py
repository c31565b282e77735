"""Which blocks of the KV store are held, by how many sequences, and which are free."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence

FREE, TAKEN = 0, 1


class BlockPool:
    """Hands out blocks, contiguous where it can: attention reads a contiguous run as it lies.

    A block that nobody holds any more is free, or idle if the prefix cache knows its content. Idle
    blocks are taken when no others are left, the one idle the longest first.
    """

    def __init__(self, count: int, on_evict: Callable[[int], None]) -> None:
        self.count = count
        self._holders = [0] * count
        self._state = bytearray(count)
        self._idle: OrderedDict[int, None] = OrderedDict()
        self._free = count
        self._on_evict = on_evict

    @property
    def available(self) -> int:
        """How many blocks can be taken."""
        return self._free + len(self._idle)

    @property
    def held(self) -> int:
        """How many blocks sequences hold."""
        return self.count - self.available

    def take(self, count: int, *, after: int | None = None, room: int = 0) -> list[int]:
        """Take free blocks: next to the block `after`, else with `room` to grow, if that can be.

        There must be as many `available`.
        """
        while self._free < count:
            self._evict()
        taken = self._following(after, count)
        self._mark(taken)
        missing = count - len(taken)
        if missing:
            others = self._run(missing + room)[:missing] or self._run(missing)
            others = others or self._singles(missing)
            self._mark(others)
            taken += others
        return taken

    def hold(self, blocks: Iterable[int]) -> None:
        """Hold blocks that somebody holds or that are idle."""
        for block in blocks:
            if not self._holders[block]:
                del self._idle[block]
            self._holders[block] += 1

    def release(self, blocks: Sequence[int], is_known: Callable[[int], bool]) -> None:
        """Let go of blocks; those with content that `is_known` stay, as long as there is room."""
        # A sequence's last block first: a cached block is of no use without those before it.
        for block in reversed(blocks):
            self._holders[block] -= 1
            if not self._holders[block]:
                if is_known(block):
                    self._idle[block] = None
                else:
                    self._give_back(block)

    def forget(self, block: int) -> None:
        """Hear that a block's content is not known any more."""
        if block in self._idle:
            del self._idle[block]
            self._give_back(block)

    def _give_back(self, block: int) -> None:
        self._state[block] = FREE
        self._free += 1

    def _evict(self) -> None:
        block, _ = self._idle.popitem(last=False)
        self._give_back(block)
        self._on_evict(block)

    def _mark(self, blocks: Iterable[int]) -> None:
        for block in blocks:
            self._state[block] = TAKEN
            self._holders[block] = 1
            self._free -= 1

    def _following(self, after: int | None, count: int) -> list[int]:
        """Return the free blocks directly behind a block."""
        if after is None:
            return []
        end = after + 1
        while end < self.count and end - after <= count and self._state[end] == FREE:
            end += 1
        return list(range(after + 1, end))

    def _run(self, count: int) -> list[int]:
        """Find the first run of so many free blocks."""
        start = self._state.find(bytes(count))
        return [] if start < 0 else list(range(start, start + count))

    def _singles(self, count: int) -> list[int]:
        """Find free blocks anywhere."""
        found: list[int] = []
        at = -1
        while len(found) < count:
            at = self._state.index(FREE, at + 1)
            found.append(at)
        return found
