"""Choosing the next tokens: each sequence by its own request's rules, and by its own draws."""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import torch

from proctor_runtime.engine.megatron.scoring import likeliest
from proctor_runtime.engine.scheduling.step import Draws

NEVER = float("-inf")

COLDEST = 1e-5
"""A temperature below picks the likeliest, as in vLLM: logits divided by less have no end."""


@dataclass(slots=True)
class Drawing:
    """A sequence's rules, and what it has drawn."""

    draws: Draws
    random: random.Random
    made: Counter[int] = field(default_factory=Counter)

    @property
    def is_random(self) -> bool:
        """Whether it takes more than the likeliest."""
        return self.draws.sampling.temperature >= COLDEST

    def adjust(self, logits: torch.Tensor) -> None:
        """Apply bias, penalties and forbidden stops to ``[vocabulary]`` logits, in place."""
        sampling = self.draws.sampling
        if sampling.repetition_penalty != 1:
            seen = index(self.made.keys() | set(self.draws.prompt), logits)
            values = logits[seen]
            penalty = sampling.repetition_penalty
            logits[seen] = torch.where(values > 0, values / penalty, values * penalty)
        if self.made and (sampling.presence_penalty or sampling.frequency_penalty):
            counts = torch.tensor(list(self.made.values()), device=logits.device)
            penalty_of = sampling.frequency_penalty * counts + sampling.presence_penalty
            logits[index(self.made, logits)] -= penalty_of
        if sampling.logit_bias:
            tokens, biases = zip(*sampling.logit_bias, strict=True)
            logits[index(tokens, logits)] += torch.tensor(biases, device=logits.device)
        if self.draws.stop_ids and self.made.total() < self.draws.min_new_tokens:
            # Whatever else is said to end a text, the model never says it.
            known = [token for token in self.draws.stop_ids if 0 <= token < len(logits)]
            logits[index(known, logits)] = NEVER


class Sampler:
    """Picks tokens, the likeliest for every sequence that has not said otherwise."""

    def __init__(self) -> None:
        self._drawings: dict[int, Drawing] = {}

    def join(self, draws: Draws) -> None:
        """Hear how a sequence wants its tokens picked."""
        seeded = random.Random(draws.sampling.seed)  # noqa: S311 - not secrets
        self._drawings[draws.sequence] = Drawing(draws, seeded)

    def leave(self, sequence: int) -> None:
        """Forget a sequence."""
        self._drawings.pop(sequence, None)

    def pick(self, logits: torch.Tensor, sequences: Sequence[int]) -> torch.Tensor:
        """Return one token per row of ``[sequences, vocabulary]`` logits."""
        drawn = [(at, self._drawings[s]) for at, s in enumerate(sequences) if s in self._drawings]
        if not drawn:
            return likeliest(logits, 1)[:, 0]
        logits = logits.clone()
        for at, drawing in drawn:
            drawing.adjust(logits[at])
        tokens = likeliest(logits, 1)[:, 0]
        random_rows = [(at, drawing) for at, drawing in drawn if drawing.is_random]
        if random_rows:
            rows, drawings = zip(*random_rows, strict=True)
            tokens[list(rows)] = sample(logits[list(rows)], drawings)
        for at, drawing in drawn:
            drawing.made[int(tokens[at])] += 1
        return tokens


def index(tokens: Iterable[int], logits: torch.Tensor) -> torch.Tensor:
    """Return tokens as an index into logits."""
    return torch.tensor(list(tokens), dtype=torch.long, device=logits.device)


def sample(logits: torch.Tensor, drawings: Sequence[Drawing]) -> torch.Tensor:
    """Draw from the distributions that temperature, top-k, top-p and min-p leave."""
    rules = [drawing.draws.sampling for drawing in drawings]

    def column(values: Sequence[float]) -> torch.Tensor:
        return torch.tensor(values, device=logits.device)[:, None]

    logits = logits / column([rule.temperature for rule in rules])
    if any(rule.top_k for rule in rules):
        logits = keep_top_k(logits, [rule.top_k for rule in rules])
    probabilities = logits.softmax(-1)
    if any(rule.top_p < 1 for rule in rules):
        probabilities = keep_top_p(probabilities, column([rule.top_p for rule in rules]))
    if any(rule.min_p for rule in rules):
        least = probabilities.amax(-1, keepdim=True) * column([rule.min_p for rule in rules])
        probabilities = probabilities.masked_fill(probabilities < least, 0)
    return invert(probabilities, column([drawing.random.random() for drawing in drawings]))


def keep_top_k(logits: torch.Tensor, tops: Sequence[int]) -> torch.Tensor:
    """Rule out what is less likely than the k-th; 0 rules nothing out."""
    size = logits.shape[-1]
    ranks = [min(top, size) or size for top in tops]
    most = max(rank for rank, top in zip(ranks, tops, strict=True) if top)
    places = torch.tensor([min(rank, most) - 1 for rank in ranks], device=logits.device)
    least = logits.topk(most, -1).values.gather(-1, places[:, None])
    bounded = torch.tensor([top > 0 for top in tops], device=logits.device)[:, None]
    return logits.masked_fill(bounded & (logits < least), NEVER)


def keep_top_p(probabilities: torch.Tensor, top_p: torch.Tensor) -> torch.Tensor:
    """Rule out what comes after the likeliest that make up `top_p`; the likeliest always stays."""
    # Stable, so that equals are ranked alike whatever else is in the batch.
    sorted_, order = probabilities.sort(dim=-1, descending=True, stable=True)
    before = sorted_.cumsum(-1) - sorted_
    dropped = (before >= top_p) & (top_p < 1)
    dropped[:, 0] = False
    return probabilities.masked_fill(dropped.scatter(-1, order, dropped), 0)


def invert(probabilities: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
    """Return the tokens at which the cumulative distribution passes each draw of [0, 1).

    A distribution that is none, for the model computed no numbers, gives a token of no meaning.
    """
    cumulative = probabilities.double().cumsum(-1)
    total = cumulative[:, -1:]
    # Rounding may lift a draw onto the total, behind which there is no token.
    wanted = (draws.double() * total).minimum(torch.nextafter(total, torch.zeros_like(total)))
    found = torch.searchsorted(cumulative, wanted, right=True)[:, 0]
    # Nothing passes what is not a number, and a token that does not exist would harm all others.
    return found.clamp(max=probabilities.shape[-1] - 1)
