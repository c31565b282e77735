"""Continuous batching: who takes part in the next step, with how many tokens."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import ClassVar

from proctor_runtime.engine.protocol import (
    EngineStats,
    GenerateRequest,
    RequestTooLargeError,
    TokenEvent,
)
from proctor_runtime.engine.scheduling.kv_cache import KvCache
from proctor_runtime.engine.scheduling.progress import Progress
from proctor_runtime.engine.scheduling.step import Copy, Draws, Row, RowResult, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """How much an engine can hold and do at once."""

    blocks: int
    block_tokens: int
    sequences: int
    """Most sequences in one step."""
    step_tokens: int
    """Most tokens in one step; more only where a prompt may not be split."""
    prefix_caching: bool = True
    chunked_prefill: bool = True


class Scheduler:
    """Plans steps and takes in their results; first come, first served.

    The oldest sequence always goes on: when blocks run out, the youngest gives its own up and is
    computed again later. So nothing waits for ever and nothing is lost.
    """

    _ids: ClassVar = count()  # an engine may outlive its scheduler

    def __init__(self, capacity: Capacity) -> None:
        self.capacity = capacity
        self.cache = KvCache(
            capacity.blocks, capacity.block_tokens, sharing=capacity.prefix_caching
        )
        self._waiting: deque[Progress] = deque()
        self._running: list[Progress] = []
        self._left: list[int] = []
        self._prompt_tokens = self._generation_tokens = self._preemptions = 0

    @property
    def stats(self) -> EngineStats:
        """Return what is going on; exact between steps, near enough from another thread."""
        return EngineStats(
            running=len(self._running),
            waiting=len(self._waiting),
            kv_cache_usage=self.cache.usage,
            prefix_cache_queries=self.cache.queries,
            prefix_cache_hits=self.cache.hits,
            prompt_tokens=self._prompt_tokens,
            generation_tokens=self._generation_tokens,
            preemptions=self._preemptions,
        )

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to do."""
        return not self._waiting and not self._running

    def check(self, request: GenerateRequest) -> None:
        """Refuse a request that the whole store could not hold."""
        needed = len(request.prompt) + max(request.max_new_tokens - 1, 0)
        held = self.capacity.blocks * self.capacity.block_tokens
        if self.cache.blocks_for(needed) > self.capacity.blocks:
            raise RequestTooLargeError(
                f"the request needs {needed} tokens of KV cache, and the engine has {held}: "
                "ask for fewer, or raise engine.kvCacheGiB"
            )

    def add(self, request: GenerateRequest) -> int:
        """Queue a request; the number returned stands for it from now on."""
        self.check(request)
        progress = Progress(next(self._ids), request, list(request.prompt))
        self._waiting.append(progress)
        return progress.id

    def remove(self, sequences: Iterable[int]) -> None:
        """End sequences before their time; between steps only."""
        gone = set(sequences)
        for progress in [p for p in self._running if p.id in gone]:
            self._retire(progress)
        if any(progress.id in gone for progress in self._waiting):
            for progress in [p for p in self._waiting if p.id in gone]:
                self._leave(progress)
            self._waiting = deque(p for p in self._waiting if p.id not in gone)

    def fail(self) -> list[int]:
        """Hear that a step failed: whoever took part, and all that was in the store, is lost."""
        failed = [progress.id for progress in self._running]
        self.remove(failed)
        self.cache.forget_all()
        return failed

    def schedule(self) -> Step:
        """Plan the next step: running sequences first, then new ones while they fit."""
        rows = self._decode()
        budget = self.capacity.step_tokens - len(rows)
        budget = self._prefill(rows, budget)
        copies = self._admit(rows, budget)
        left, self._left = tuple(self._left), []
        return Step(rows=tuple(rows), copies=tuple(copies), joined=self._joined(rows), left=left)

    def _joined(self, rows: list[Row]) -> tuple[Draws, ...]:
        """Tell how sequences that sample for the first time want it done."""
        sampling = {row.sequence for row in rows if row.samples}
        new = [p for p in self._running if not p.has_joined and p.needs_draws and p.id in sampling]
        for progress in new:
            progress.has_joined = True
        return tuple(map(draws, new))

    def _decode(self) -> list[Row]:
        """Give every sequence that makes tokens its next one."""
        rows = []
        for progress in [p for p in self._running if p.is_decoding]:
            while progress.blocks and not self.cache.grow(progress):
                self._preempt(self._running[-1])
            if progress.blocks:
                rows.append(self._row(progress, 1))
        return rows

    def _prefill(self, rows: list[Row], budget: int) -> int:
        """Go on with prompts that did not fit into one step."""
        for progress in self._running:
            missing = len(progress.tokens) - progress.computed
            if missing and budget > 0:
                share = min(missing, budget)
                rows.append(self._row(progress, share))
                budget -= share
        return budget

    def _admit(self, rows: list[Row], budget: int) -> list[Copy]:
        """Take new sequences in, as long as there are tokens, places and blocks for them."""
        copies: list[Copy] = []
        while self._waiting and len(self._running) < self.capacity.sequences and budget > 0:
            progress = self._waiting[0]
            is_whole = not self.capacity.chunked_prefill
            if is_whole and rows and len(progress.tokens) > budget:
                break
            # Each running sequence may need another block at the next step.
            copied = self.cache.admit(progress, spare=len(self._running))
            if copied is None:
                break
            self._running.append(self._waiting.popleft())
            copies += copied
            missing = len(progress.tokens) - progress.computed
            share = missing if is_whole else min(missing, budget)
            rows.append(self._row(progress, share))
            budget -= share
        return copies

    def _row(self, progress: Progress, tokens: int) -> Row:
        row = progress.next_row(tokens, self.capacity.block_tokens)
        progress.computed += tokens
        self.cache.remember(progress)
        return row

    def _preempt(self, progress: Progress) -> None:
        self._preemptions += 1
        self._running.remove(progress)
        self.cache.release(progress)
        self._waiting.appendleft(progress)

    def advance(self, step: Step, results: Sequence[RowResult]) -> list[tuple[int, TokenEvent]]:
        """Take in what a step gave, and tell what is new of whom."""
        running = {progress.id: progress for progress in self._running}
        events = []
        for row, result in zip(step.rows, results, strict=True):
            progress = running[row.sequence]
            self.cache.unpin(progress)
            progress.accept_scores(result)
            event = progress.event(result)
            if event is not None:
                events.append((row.sequence, event))
                self._count(progress, event)
                if event.finish:
                    self._retire(progress)
        return events

    def _count(self, progress: Progress, event: TokenEvent) -> None:
        self._generation_tokens += int(event.token is not None)
        if progress.made <= 1:
            self._prompt_tokens += len(progress.request.prompt)

    def _retire(self, progress: Progress) -> None:
        self._running.remove(progress)
        self.cache.release(progress)
        self._leave(progress)

    def _leave(self, progress: Progress) -> None:
        if progress.has_joined:
            self._left.append(progress.id)


def draws(progress: Progress) -> Draws:
    """Tell how a sequence picks its tokens."""
    request = progress.request
    return Draws(
        sequence=progress.id,
        sampling=request.sampling,
        prompt=request.prompt,
        stop_ids=request.stop_ids,
        min_new_tokens=request.min_new_tokens,
    )
