"""Which blocks hold which beginnings of sequences: a radix tree with blocks for nodes.

Blocks are compared token by token, never by a hash alone: no prompt can be served another's cache.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from proctor_runtime.engine.scheduling.step import Scores

ROOT = 0
UNSCORED = -1


@dataclass(slots=True, eq=False)
class Entry:
    """What a block holds: `tokens`, after all the tokens of the node `parent`."""

    block: int
    node: int
    parent: int
    tokens: tuple[int, ...]
    top: int
    """Alternatives that come with each score; `UNSCORED` if there are no scores."""
    scores: Scores | None = None
    """Filled in by the step that computes the block."""


@dataclass(frozen=True, slots=True)
class Match:
    """The longest known beginning of a sequence."""

    entries: list[Entry]
    """Of its full blocks."""
    partial: Entry | None
    """A block that goes on in the same way for some tokens more."""
    extra: int
    """So many."""

    @property
    def sources(self) -> list[Entry]:
        """All the blocks in their order."""
        return [*self.entries, self.partial] if self.partial and self.extra else self.entries


NOTHING = Match([], None, 0)


class PrefixIndex:
    """Finds blocks by content."""

    def __init__(self, block_tokens: int) -> None:
        self.block_tokens = block_tokens
        self._full: dict[tuple[int, tuple[int, ...]], Entry] = {}
        self._starts: dict[tuple[int, int], Entry] = {}
        """The latest block that goes on from a node with a token."""
        self._by_block: dict[int, Entry] = {}
        self._nodes = count(ROOT + 1)

    def __contains__(self, block: int) -> bool:
        return block in self._by_block

    def match(self, tokens: Sequence[int], top: int) -> Match:
        """Find the longest beginning whose scores, if `top` asks for some, are known as well."""
        size = self.block_tokens
        entries: list[Entry] = []
        node, at = ROOT, 0
        while entry := self._full.get((node, tuple(tokens[at : at + size]))):
            if entry.top < top:
                break
            entries.append(entry)
            node, at = entry.node, at + size
        if at >= len(tokens):
            return Match(entries, None, 0)
        start = self._starts.get((node, tokens[at]))
        if start is None or start.top < top:
            return Match(entries, None, 0)
        return Match(entries, start, common(start.tokens, tokens[at : at + size]))

    def add(self, block: int, parent: int, tokens: tuple[int, ...], top: int) -> Entry:
        """Remember what a block holds, or will by the end of this step.

        If a block with the same content and scores as good is known already, the entry returned is
        that one's.
        """
        key = (parent, tokens)
        is_full = len(tokens) == self.block_tokens
        known = self._full.get(key) if is_full else None
        if known is not None and known.top >= top:
            return known
        node = known.node if known is not None else next(self._nodes)
        entry = Entry(block, node, parent, tokens, top)
        self.drop(block)
        self._by_block[block] = entry
        if is_full:
            self._full[key] = entry
        self._starts[parent, tokens[0]] = entry
        return entry

    def drop(self, block: int) -> None:
        """Forget what a block holds."""
        entry = self._by_block.pop(block, None)
        if entry is None:
            return
        full, start = (entry.parent, entry.tokens), (entry.parent, entry.tokens[0])
        if self._full.get(full) is entry:
            del self._full[full]
        if self._starts.get(start) is entry:
            del self._starts[start]

    def clear(self) -> list[int]:
        """Forget everything; return the blocks that were known."""
        blocks = list(self._by_block)
        self._full.clear()
        self._starts.clear()
        self._by_block.clear()
        return blocks


def common(one: Sequence[int], other: Sequence[int]) -> int:
    """Count the tokens that two sequences begin with in common."""
    for at, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return at
    return min(len(one), len(other))
