"""Log-probabilities from logits, of as many positions at a time as memory allows."""

from collections.abc import Sequence

import torch

from proctor_runtime.engine.scheduling.step import Scores

LOGIT_BUDGET = 1 << 21
"""Logits in one piece: in float32 8 MiB, which caches hold."""


def score_tokens(logits: torch.Tensor, tokens: torch.Tensor, top: int) -> Scores:
    """Score ``[length]`` tokens by ``[length, vocabulary]`` logits, with `top` alternatives each.

    The realised token's and its alternatives' values are read from one log-softmax, so a greedy
    token's equals the best alternative's to the last bit.
    """
    logprobs = logits.log_softmax(-1)
    realised = logprobs.gather(-1, tokens[:, None])[:, 0].tolist()
    if not top:
        return Scores(realised, [[]] * len(realised), [[]] * len(realised))
    best = likeliest(logits, min(top, logits.shape[-1]))
    return Scores(realised, best.tolist(), logprobs.gather(-1, best).tolist())


def likeliest(logits: torch.Tensor, count: int) -> torch.Tensor:
    """Return the `count` likeliest tokens of each row, likeliest first."""
    if count == 1:
        # Twice as fast as `argmax`, and the first of equals as well.
        return logits.max(-1, keepdim=True).indices
    return logits.topk(count, -1).indices


def join(pieces: Sequence[Scores]) -> Scores:
    """Put pieces together again."""
    if len(pieces) == 1:
        return pieces[0]
    whole = Scores.empty()
    for piece in pieces:
        whole.extend(piece, 0, len(piece.logprobs))
    return whole
