"""The KV store's bookkeeping: blocks, and what is remembered in them."""

from proctor_runtime.engine.scheduling.blocks import BlockPool
from proctor_runtime.engine.scheduling.prefixes import (
    NOTHING,
    ROOT,
    UNSCORED,
    Match,
    PrefixIndex,
)
from proctor_runtime.engine.scheduling.progress import Progress
from proctor_runtime.engine.scheduling.step import Copy

MOST_ROOM = 64
"""Blocks to look for free behind a new sequence, that it may grow into them."""


class KvCache:
    """Gives sequences blocks, and shares those that begin alike."""

    def __init__(self, blocks: int, block_tokens: int, *, sharing: bool) -> None:
        self.block_tokens = block_tokens
        self.sharing = sharing
        self.queries = 0
        self.hits = 0
        self._index = PrefixIndex(block_tokens)
        self._pool = BlockPool(blocks, self._index.drop)

    @property
    def usage(self) -> float:
        """Share of the blocks that sequences hold."""
        return self._pool.held / self._pool.count

    def blocks_for(self, tokens: int) -> int:
        """How many blocks so many tokens take."""
        return -(-tokens // self.block_tokens)

    def admit(self, progress: Progress, *, spare: int) -> list[Copy] | None:
        """Give a sequence its first blocks and say what to copy into them.

        None, and nothing is given, if they would leave fewer than `spare`.
        """
        tokens = tuple(progress.tokens)
        match = self._index.match(tokens, progress.top) if self.sharing else NOTHING
        copies = self._admit(progress, match, spare)
        if copies is None and not spare and match.sources:
            # What it shares is held besides what it needs: all of the store may be needed.
            copies = self._admit(progress, NOTHING, spare)
        return copies

    def _admit(self, progress: Progress, match: Match, spare: int) -> list[Copy] | None:
        start = first_to_compute(match, progress, self.block_tokens)
        full, part = divmod(start, self.block_tokens)
        shared = [entry.block for entry in match.sources[:full]]
        pinned = [match.sources[full].block] if part else []
        missing = self.blocks_for(len(progress.tokens)) - full
        self._pool.hold([*shared, *pinned])
        if self._pool.available < missing + spare:
            self._pool.release([*shared, *pinned], self._index.__contains__)
            return None
        room = self.blocks_for(progress.request.max_new_tokens - progress.made)
        own = self._pool.take(missing, room=min(room, MOST_ROOM))
        progress.occupy(shared)
        progress.occupy(own, apart=True)
        progress.pinned = pinned
        progress.known = full
        progress.node = match.sources[full - 1].node if full else ROOT
        progress.computed = start
        self._lend_scores(progress, match)
        self.queries += len(progress.tokens)
        self.hits += start
        size = self.block_tokens
        return [Copy(block * size, own[0] * size, part) for block in pinned]

    def _lend_scores(self, progress: Progress, match: Match) -> None:
        if progress.wants_scores:
            full = len(match.entries)
            progress.cached = [
                (entry, self.block_tokens if at < full else match.extra)
                for at, entry in enumerate(match.sources)
            ]

    def grow(self, progress: Progress) -> bool:
        """Give a sequence blocks for all its tokens; False if there are none to give."""
        missing = self.blocks_for(len(progress.tokens)) - len(progress.blocks)
        if missing > self._pool.available:
            return False
        if missing > 0:
            last = progress.blocks[-1]
            progress.occupy(self._pool.take(missing, after=last, room=MOST_ROOM))
        return True

    def remember(self, progress: Progress) -> None:
        """Let others share what the planned step will have computed of a sequence."""
        if not self.sharing:
            return
        size = self.block_tokens
        while (progress.known + 1) * size <= progress.computed:
            self._remember_block(progress, size)
            progress.known += 1
        rest = progress.computed - progress.known * size
        if rest and progress.computed == len(progress.request.prompt):
            self._remember_block(progress, rest)

    def _remember_block(self, progress: Progress, count: int) -> None:
        start = progress.known * self.block_tokens
        tokens = tuple(progress.tokens[start : start + count])
        is_prompt = start + count <= len(progress.request.prompt)
        top = progress.top if is_prompt else UNSCORED
        block = progress.blocks[progress.known]
        entry = self._index.add(block, progress.node, tokens, top)
        if count == self.block_tokens:
            progress.node = entry.node
        if entry.block == block and top != UNSCORED:
            progress.promised.append((entry, start))

    def unpin(self, progress: Progress) -> None:
        """Let go of what a finished step copied from."""
        if progress.pinned:
            self._pool.release(progress.pinned, self._index.__contains__)
            progress.pinned = []

    def release(self, progress: Progress) -> None:
        """Take a sequence's blocks back."""
        self.unpin(progress)
        self._pool.release(progress.blocks, self._index.__contains__)
        progress.restart()

    def forget_all(self) -> None:
        """Share nothing of what is in the store now."""
        for block in self._index.clear():
            self._pool.forget(block)


def first_to_compute(match: Match, progress: Progress, block_tokens: int) -> int:
    """Return the first token whose logits are needed: the last one's are in any case."""
    known = len(match.entries) * block_tokens + match.extra
    last = len(progress.tokens) - 1
    if progress.wants_scores and known < len(progress.tokens):
        # The first unknown token is scored by the logits of the one before it.
        known -= 1
    return max(0, min(known, last))
