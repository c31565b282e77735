"""Log-probabilities from logits, of as many positions at a time as memory allows."""

from collections.abc import Callable, Sequence

import torch

from proctor_runtime.engine.scheduling.step import Scores

LOGIT_BUDGET = 1 << 21
"""Logits in one piece: in float32 8 MiB, which caches hold."""


def score_tokens(logits: torch.Tensor, tokens: torch.Tensor, top: int) -> Scores:
    """Score ``[length]`` tokens by ``[length, vocabulary]`` logits, with `top` alternatives each.

    The realised token's and its alternatives' values come of the same numbers, so a greedy token's
    equals the best alternative's to the last bit.
    """
    logprob = log_softmax(logits)
    realised = logprob(tokens[:, None])[:, 0].tolist()
    if not top:
        return Scores(realised, [[]] * len(realised), [[]] * len(realised))
    best = likeliest(logits, min(top, logits.shape[-1]))
    return Scores(realised, best.tolist(), logprob(best).tolist())


def log_softmax(logits: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return what looks log-probabilities up: ``[length, count]`` of so many token ids.

    PyTorch's own writes those of the whole vocabulary, and its exponentials take a CPU three times
    as long as these.
    """
    highest = logits.amax(-1, keepdim=True)
    total = (logits - highest).exp_().sum(-1, keepdim=True).log_()
    return lambda tokens: (logits.gather(-1, tokens) - highest).sub_(total)


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
