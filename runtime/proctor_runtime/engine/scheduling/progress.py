"""One request's way through the engine."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from proctor_runtime.engine.protocol import GenerateRequest, ScoredTokens, TokenEvent
from proctor_runtime.engine.scheduling.prefixes import ROOT, UNSCORED, Entry
from proctor_runtime.engine.scheduling.step import Row, RowResult, Scores, Segment


@dataclass(slots=True, eq=False)
class Progress:
    """What a sequence consists of so far, and where it lies."""

    id: int
    request: GenerateRequest
    tokens: list[int]
    """The prompt and what has been made."""
    computed: int = 0
    """Tokens whose keys and values are in the store, by the end of the step that is planned."""
    blocks: list[int] = field(default_factory=list)
    runs: list[tuple[int, int]] = field(default_factory=list)
    """The blocks by contiguous run, the first and how many; shared and own ones kept apart."""
    node: int = ROOT
    """Where in the tree of prefixes the known blocks end."""
    known: int = 0
    """How many of the blocks, full ones, the tree knows."""
    scores: Scores = field(default_factory=Scores.empty)
    """Of the prompt's tokens, as far as they have come."""
    cached: list[tuple[Entry, int]] = field(default_factory=list)
    """Whose scores are taken over, and of how many tokens."""
    promised: list[tuple[Entry, int]] = field(default_factory=list)
    """Which wait for scores, and from which token on they are its."""
    pinned: list[int] = field(default_factory=list)
    """Blocks that the planned step copies from."""
    has_joined: bool = False

    @property
    def made(self) -> int:
        """How many new tokens there are."""
        return len(self.tokens) - len(self.request.prompt)

    @property
    def is_decoding(self) -> bool:
        """Whether only the newest token is left to compute."""
        return self.computed == len(self.tokens) - 1 and self.made > 0

    @property
    def wants_scores(self) -> bool:
        """Whether some of the prompt's scores are wanted and missing."""
        return self.request.prompt_logprobs and len(self.scores.logprobs) < len(self.request.prompt)

    @property
    def top(self) -> int:
        """Alternatives with each wanted score; `UNSCORED` if none is wanted."""
        return self.request.top_logprobs if self.wants_scores else UNSCORED

    @property
    def needs_draws(self) -> bool:
        """Whether picking its tokens takes more than the likeliest."""
        sampling = self.request.sampling
        is_plain = (
            sampling.temperature == 0
            and not sampling.logit_bias
            and sampling.presence_penalty == sampling.frequency_penalty == 0
            and sampling.repetition_penalty == 1
        )
        return not is_plain or self.request.min_new_tokens > 0

    def restart(self) -> None:
        """Forget where it lay; what it has made stays."""
        self.computed = self.known = 0
        self.node = ROOT
        self.blocks, self.runs = [], []
        self.pinned, self.promised, self.cached = [], [], []
        if self.wants_scores:
            self.scores = Scores.empty()

    def next_row(self, count: int, block_tokens: int) -> Row:
        """Describe the computation of the next `count` tokens."""
        start, end = self.computed, self.computed + count
        prompt = self.request.prompt
        targets = prompt[start + 1 : end + 1] if self.wants_scores else ()
        return Row(
            sequence=self.id,
            tokens=tuple(self.tokens[start:end]),
            position=start,
            segments=self.segments(end, block_tokens),
            targets=targets,
            samples=end == len(self.tokens) and self.request.max_new_tokens > 0,
            top=self.request.top_logprobs,
        )

    def segments(self, count: int, block_tokens: int) -> tuple[Segment, ...]:
        """Return where the first `count` tokens lie."""
        found: list[Segment] = []
        for block, blocks in self.runs:
            length = min(blocks * block_tokens, count)
            found.append((block * block_tokens, length))
            count -= length
            if not count:
                break
        return tuple(found)

    def occupy(self, blocks: Iterable[int], *, apart: bool = False) -> None:
        """Add blocks, `apart` from those before even where they follow them."""
        for block in blocks:
            start, count = self.runs[-1] if self.runs and not apart else (block, 0)
            if count and start + count == block:
                self.runs[-1] = (start, count + 1)
            else:
                self.runs.append((block, 1))
            self.blocks.append(block)
            apart = False

    def accept_scores(self, result: RowResult) -> None:
        """Take in a row's scores, and hand them on to the blocks that were promised them."""
        if not self.wants_scores:
            return
        if not self.scores.logprobs:
            self._take_over_cached()
        if result.scores is not None:
            self.scores.extend(result.scores, 0, len(result.scores.logprobs))
        for entry, start in self.promised:
            entry.scores = self.scores.part(start, start + len(entry.tokens))
        self.promised = []

    def _take_over_cached(self) -> None:
        for entry, count in self.cached:
            if entry.scores is None:
                raise RuntimeError(f"block {entry.block} was lent before its scores were known")
            self.scores.extend(entry.scores.with_top(self.request.top_logprobs), 0, count)
        if not self.cached:
            self.scores.extend(Scores([None], [[]], [[]]), 0, 1)

    def event(self, result: RowResult) -> TokenEvent | None:
        """Take in a row's new token and tell of it; None while the prompt is under way."""
        is_first = self.made == 0
        prompt = self._scored_prompt() if is_first else ScoredTokens()
        if result.token is None:
            is_over = self.computed == len(self.tokens)
            return TokenEvent(prompt=prompt, finish="length") if is_over else None
        token = result.token.token
        self.tokens.append(token)
        finish = self.request.finish_with(token, self.made)
        stop = token if finish == "stop" else None
        return TokenEvent(token=result.token, prompt=prompt, finish=finish, stop=stop)

    def _scored_prompt(self) -> ScoredTokens:
        if not self.request.prompt_logprobs:
            return ScoredTokens()
        scores = self.scores
        return ScoredTokens(
            self.request.prompt,
            tuple(scores.logprobs),
            tuple(scores.top_tokens),
            tuple(scores.top_logprobs),
        )
