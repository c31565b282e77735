"""One batch from prompts to finished sequences; every rank runs this same loop.

Scoring pads on the right: one causal pass, no mask, no cache, and what stands behind a sequence
cannot reach it. Generation pads on the left, so that all sequences grow at the same place; the
padding is masked. Either way no request's numbers depend on the others in its batch.
"""

from collections.abc import Iterator, Sequence

import torch
from megatron.core.inference.contexts import StaticInferenceContext

from proctor_runtime.engine.megatron.forward import Forward
from proctor_runtime.engine.megatron.padding import LeftPadded, right_padded
from proctor_runtime.engine.megatron.ranks import Ranks
from proctor_runtime.engine.megatron.sampling import Sampler
from proctor_runtime.engine.megatron.scoring import score_tokens
from proctor_runtime.engine.protocol import (
    GenerateRequest,
    ScoredToken,
    ScoredTokens,
    TokenEvent,
)


class MegatronDecoding:
    """A batch under way."""

    def __init__(self, forward: Forward, ranks: Ranks, requests: Sequence[GenerateRequest]) -> None:
        self.forward = forward
        self.ranks = ranks
        self.requests = requests
        self.tops = [request.top_logprobs for request in requests]
        self.stopped: set[int] = set()
        self._sampler = Sampler([r.sampling for r in requests], forward.device)

    def stop(self, index: int) -> None:
        """Stop one request before the next step."""
        self.stopped.add(index)

    def __iter__(self) -> Iterator[Sequence[tuple[int, TokenEvent]]]:
        """Step until every request is finished."""
        if self.requests[0].is_scoring:
            yield self.ranks.share(self._score())
        else:
            yield from self._generate()

    def _score(self) -> list[tuple[int, TokenEvent]] | None:
        """Answer requests of at most one new token by a single pass."""
        lengths = [len(request.prompt) for request in self.requests]
        ids = right_padded([request.prompt for request in self.requests], self.forward.device)
        positions = torch.arange(ids.shape[1], device=ids.device).expand_as(ids)
        logits = self.forward(ids, positions, None)
        if logits is None:
            return None
        ends = torch.tensor(lengths, device=ids.device) - 1
        after = logits[torch.arange(len(ids), device=ids.device), ends]
        prompts = score_tokens(logits[:, :-1], ids[:, 1:], self.tops)
        return [
            self._event(i, token, made=0, prompt=prompts[i][: lengths[i] - 1])
            for i, token in enumerate(self._pick(after))
        ]

    def _generate(self) -> Iterator[Sequence[tuple[int, TokenEvent]]]:
        """Fill the cache from the prompts, then add a token to each sequence per step."""
        rows = LeftPadded.stack([r.prompt for r in self.requests], self.forward.device)
        most_new = max(request.max_new_tokens for request in self.requests)
        cache = StaticInferenceContext(len(rows.ids), rows.width + most_new)
        any_prompt = any(request.prompt_logprobs for request in self.requests)
        cache.materialize_only_last_token_logits = not any_prompt
        positions = rows.positions(0, rows.width)
        logits = self.forward(rows.ids, positions, rows.prompt_mask(), cache)
        events = self.ranks.share(self._first_events(logits, rows))
        newest = rows.ids[:, -1:].clone()
        cache.materialize_only_last_token_logits = True
        cache.enable_decode_mode()
        for made in range(1, most_new + 1):
            self.stopped.update(index for index, event in events if event.finish)
            for index, event in events:
                newest[index] = event.token.token if event.token else 0
            yield events
            # Rank 0's caller may have stopped some meanwhile; the other ranks must hear of it.
            self.stopped = self.ranks.agree(self.stopped)
            if len(self.stopped) == len(self.requests):
                return
            at = rows.width + made - 1
            mask = rows.padding_mask(at + 1)
            logits = self.forward(newest, rows.positions(at, at + 1), mask, cache)
            events = self.ranks.share(self._next_events(logits, made))

    def _first_events(
        self, logits: torch.Tensor | None, rows: LeftPadded
    ) -> list[tuple[int, TokenEvent]] | None:
        """Pick each sequence's first token, and score the prompts of those who asked."""
        if logits is None:
            return None
        tokens = self._pick(logits[:, -1])
        return [
            self._event(i, token, made=0, prompt=self._scored_prompt(logits, rows, i))
            for i, token in enumerate(tokens)
        ]

    def _scored_prompt(
        self, logits: torch.Tensor, rows: LeftPadded, index: int
    ) -> Sequence[ScoredToken]:
        """Score one row's prompt from its second token on."""
        if not self.requests[index].prompt_logprobs:
            return ()
        start = int(rows.pads[index])
        row = slice(index, index + 1)
        ids = rows.ids[row, start + 1 :]
        return score_tokens(logits[row, start:-1], ids, [self.tops[index]])[0]

    def _next_events(
        self, logits: torch.Tensor | None, made: int
    ) -> list[tuple[int, TokenEvent]] | None:
        """Pick and score one token per sequence; sequences that are done get no event."""
        if logits is None:
            return None
        tokens = enumerate(self._pick(logits[:, -1]))
        return [self._event(i, token, made=made) for i, token in tokens if i not in self.stopped]

    def _pick(self, logits: torch.Tensor) -> list[ScoredToken]:
        """Pick and score one token per row."""
        tokens = self._sampler.pick(logits)
        return [row[0] for row in score_tokens(logits[:, None], tokens[:, None], self.tops)]

    def _event(
        self, index: int, token: ScoredToken, *, made: int, prompt: Sequence[ScoredToken] = ()
    ) -> tuple[int, TokenEvent]:
        """Describe one request's step, after `made` tokens before it."""
        request = self.requests[index]
        if request.prompt_logprobs and made == 0:
            prompt = (ScoredToken(request.prompt[0], None), *prompt)
        if request.max_new_tokens == 0:
            return index, TokenEvent(prompt=ScoredTokens.of(prompt), finish="length")
        finish = request.finish_with(token.token, made + 1)
        stop = token.token if finish == "stop" else None
        columns = ScoredTokens.of(prompt)
        return index, TokenEvent(token=token, prompt=columns, finish=finish, stop=stop)
