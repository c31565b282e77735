"""What every rank does with a step."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from proctor_runtime.engine.megatron.forward import Forward
from proctor_runtime.engine.megatron.graphs import Graphs
from proctor_runtime.engine.megatron.kv_store import KvStore
from proctor_runtime.engine.megatron.packing import Packed, pack
from proctor_runtime.engine.megatron.sampling import Sampler
from proctor_runtime.engine.megatron.scoring import LOGIT_BUDGET, join, score_tokens
from proctor_runtime.engine.protocol import ScoredToken
from proctor_runtime.engine.scheduling.step import Row, RowResult, Scores, Step


class Executor:
    """Computes steps on this rank's share of the model."""

    def __init__(
        self,
        forward: Forward,
        store: KvStore,
        *,
        graphs: Graphs | None = None,
        logit_budget: int = LOGIT_BUDGET,
    ) -> None:
        self.forward = forward
        self.store = store
        self.graphs = graphs
        self._rows = max(1, logit_budget // forward.config.vocab_size)
        self._sampler = Sampler()

    @torch.inference_mode()
    def execute(self, step: Step) -> list[RowResult] | None:
        """Return what came of each row, on the last stage; None on the others."""
        for sequence in step.left:
            self._sampler.leave(sequence)
        for draws in step.joined:
            self._sampler.join(draws)
        packed = pack(step, self.forward.device)
        hidden = self.graphs(packed) if self.graphs else None
        if hidden is None:
            hidden = self.forward(packed, self.store)
        return None if hidden is None else self._answer(packed, hidden)

    def _answer(self, packed: Packed, hidden: torch.Tensor) -> list[RowResult]:
        rows = packed.rows
        wanted = Wanted.of(rows, packed.starts)
        top = max(row.top for row in rows)
        pieces = [
            self._score(hidden, wanted.part(start, start + self._rows), top)
            for start in range(0, len(wanted.places), self._rows)
        ]
        answers = split(rows, pieces)
        in_order = dict(zip(packed.order, answers, strict=True))
        return [in_order[at] for at in range(len(rows))]

    def _score(self, hidden: torch.Tensor, wanted: "Wanted", top: int) -> "Piece":
        """Compute some of the wanted logits, and what is wanted of them."""
        logits = self.forward.logits(hidden[torch.tensor(wanted.places, device=hidden.device)])
        sampled = [at for at, sequence in enumerate(wanted.sequences) if sequence is not None]
        sequences = [sequence for sequence in wanted.sequences if sequence is not None]
        if len(sampled) == len(wanted.places):
            tokens = self._sampler.pick(logits, sequences)
        else:
            tokens = torch.tensor(wanted.targets, device=hidden.device)
            if sampled:
                tokens[sampled] = self._sampler.pick(logits[sampled], sequences)
        return Piece(tokens.tolist(), score_tokens(logits, tokens, top))


@dataclass(frozen=True, slots=True)
class Wanted:
    """The places in a packed step whose logits are wanted."""

    places: list[int]
    targets: list[int]
    """What to score at each; 0 where a token is to be sampled."""
    sequences: list[int | None]
    """Whose token is to be sampled at each; None where it is known."""

    @classmethod
    def of(cls, rows: Sequence[Row], starts: Sequence[int]) -> "Wanted":
        """Collect what the rows want, row by row."""
        wanted = cls([], [], [])
        for row, start in zip(rows, starts, strict=True):
            count = len(row.targets)
            wanted.places.extend(range(start, start + count))
            wanted.targets.extend(row.targets)
            wanted.sequences.extend([None] * count)
            if row.samples:
                wanted.places.append(start + len(row.tokens) - 1)
                wanted.targets.append(0)
                wanted.sequences.append(row.sequence)
        return wanted

    def part(self, start: int, end: int) -> "Wanted":
        """Return a part."""
        return Wanted(self.places[start:end], self.targets[start:end], self.sequences[start:end])


@dataclass(frozen=True, slots=True)
class Piece:
    """Tokens, known or sampled, with their scores."""

    tokens: list[int]
    scores: Scores


def split(rows: Sequence[Row], pieces: Sequence[Piece]) -> list[RowResult]:
    """Give each row its own."""
    tokens = [token for piece in pieces for token in piece.tokens]
    scores = join([piece.scores for piece in pieces]) if pieces else Scores.empty()
    results = []
    at = 0
    for row in rows:
        end = at + len(row.targets)
        own = scores.part(at, end).with_top(row.top) if row.targets else None
        token = scored_token(tokens[end], scores, end, row.top) if row.samples else None
        results.append(RowResult(own, token))
        at = end + row.samples
    return results


def scored_token(token: int, scores: Scores, at: int, top: int) -> ScoredToken:
    """Return one scored token as an object of its own."""
    likely = zip(scores.top_tokens[at][:top], scores.top_logprobs[at][:top], strict=True)
    return ScoredToken(token, scores.logprobs[at], tuple(likely))
