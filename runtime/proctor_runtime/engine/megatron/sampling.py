"""Choosing the next tokens: each row of the batch by its own request's rules."""

import random
from collections.abc import Sequence

import torch

from proctor_runtime.engine.protocol import Sampling


class Sampler:
    """Picks tokens for a batch; a request's draws come from its own seed alone."""

    def __init__(self, samplings: Sequence[Sampling], device: torch.device) -> None:
        self._rows = [i for i, s in enumerate(samplings) if s.temperature > 0]
        sampled = [samplings[i] for i in self._rows]
        self._draws = [random.Random(s.seed) for s in sampled]  # noqa: S311 - not secrets
        self._temperature = torch.tensor([s.temperature for s in sampled], device=device)[:, None]
        self._top_p = torch.tensor([s.top_p for s in sampled], device=device)[:, None]
        self._top_k = torch.tensor([s.top_k for s in sampled], device=device)[:, None]

    def pick(self, logits: torch.Tensor) -> torch.Tensor:
        """Return one token per row of ``[batch, vocabulary]`` logits."""
        tokens = logits.argmax(-1)
        if self._rows:
            tokens[self._rows] = self._sample(logits[self._rows])
        return tokens

    def _sample(self, logits: torch.Tensor) -> torch.Tensor:
        """Invert the cumulative distribution of the tokens that top-k and top-p leave."""
        scaled = (logits / self._temperature).softmax(-1)
        probabilities, order = scaled.sort(dim=-1, descending=True, stable=True)
        cumulative = probabilities.cumsum(-1)
        rank = torch.arange(logits.shape[-1], device=logits.device)
        dropped = (self._top_k > 0) & (rank >= self._top_k)
        # A token stays while those before it do not make up top_p: so one always stays.
        dropped |= (cumulative - probabilities >= self._top_p) & (rank > 0)
        kept = probabilities.masked_fill(dropped, 0).cumsum(-1)
        draws = torch.tensor([d.random() for d in self._draws], device=logits.device)
        chosen = torch.searchsorted(kept, draws[:, None] * kept[:, -1:], right=True)
        last_kept = (~dropped).sum(-1, keepdim=True) - 1
        return order.gather(1, chosen.minimum(last_kept))[:, 0]
