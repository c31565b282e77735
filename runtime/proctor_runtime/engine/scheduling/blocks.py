"""Which blocks of the KV store are held, by how many sequences, and which are free."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

FREE, TAKEN, ROOM = 0, 1, 2
"""`ROOM` is free, but behind a sequence that may grow into it: others take it last."""

LONGEST_LANE = 64
"""Blocks."""


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

        With room they begin at a multiple of what they will come to, rounded up to a power of two:
        sequences of like size lie at equal distances, and attention can take them all at once.
        There must be as many `available`.
        """
        while self._free < count + room and self._idle:
            self._evict()
        taken = self._following(after, count)
        self._mark(taken)
        missing = count - len(taken)
        if missing:
            others = self._lane(missing + room) if room else []
            others = others or self._run(missing) or self._singles(missing)
            self._mark(others[:missing])
            for block in others[missing:]:
                self._state[block] = ROOM
            taken += others[:missing]
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
        self._give_up_room(blocks)

    def _give_up_room(self, blocks: Sequence[int]) -> None:
        behind = blocks[-1] + 1 if blocks else self.count
        while behind < self.count and self._state[behind] == ROOM:
            self._state[behind] = FREE
            behind += 1

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
        while end < self.count and end - after <= count and self._state[end] != TAKEN:
            end += 1
        return list(range(after + 1, end))

    def _lane(self, count: int) -> list[int]:
        """Find the first run of so many free blocks that begins where a lane does."""
        lane = min(1 << (count - 1).bit_length(), LONGEST_LANE)
        wanted = bytes(-(-count // lane) * lane)
        start = self._state.find(wanted)
        while start >= 0 and start % lane:
            start = self._state.find(wanted, -(-start // lane) * lane)
        return [] if start < 0 else list(range(start, start + count))

    def _run(self, count: int) -> list[int]:
        """Find the first run of so many free blocks."""
        start = self._state.find(bytes(count))
        return [] if start < 0 else list(range(start, start + count))

    def _singles(self, count: int) -> list[int]:
        """Find free blocks anywhere."""
        found = [at for at, state in enumerate(self._state) if state == FREE][:count]
        if len(found) < count:
            others = (at for at, state in enumerate(self._state) if state == ROOM)
            found.extend(islice(others, count - len(found)))
        return found
