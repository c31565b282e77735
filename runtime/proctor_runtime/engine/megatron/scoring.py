"""Log-probabilities from logits, without building the whole log-softmax."""

from collections.abc import Sequence

import torch

from proctor_runtime.engine.protocol import ScoredToken


def score_tokens(
    logits: torch.Tensor, tokens: torch.Tensor, tops: Sequence[int]
) -> list[list[ScoredToken]]:
    """Score ``[batch, length]`` tokens by ``[batch, length, vocabulary]`` logits.

    The realised token's and its alternatives' values come from the same two operations on the same
    logits, so a greedy token's equals the best alternative's to the last bit. `tops` says how many
    alternatives each row wants.
    """
    normalizer = logits.logsumexp(-1, keepdim=True)
    realised = (logits.gather(-1, tokens[..., None]) - normalizer)[..., 0].tolist()
    most = max(tops, default=0)
    if most == 0:
        return [
            [ScoredToken(t, lp) for t, lp in zip(row, lps, strict=True)]
            for row, lps in zip(tokens.tolist(), realised, strict=True)
        ]
    best = logits.topk(min(most, logits.shape[-1]), -1)
    values, indices = (best.values - normalizer).tolist(), best.indices.tolist()
    return [
        [
            ScoredToken(token, logprob, tuple(zip(ids[:top], lps[:top], strict=True)))
            for token, logprob, ids, lps in zip(*row, strict=True)
        ]
        for top, *row in zip(tops, tokens.tolist(), realised, indices, values, strict=True)
    ]
