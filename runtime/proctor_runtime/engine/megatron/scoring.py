"""Log-probabilities from logits, of as many positions at a time as memory allows."""

from collections.abc import Sequence

import torch

from proctor_runtime.engine.scheduling.step import Scores

LOGIT_BUDGET = 1 << 21
"""Logits in one piece: in float32 8 MiB, which caches hold."""

MARGIN = 8
"""Tokens looked at besides the likeliest: so many equals at most are told apart in passing."""


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
    """Return the `count` likeliest tokens of each row, likeliest first, of equals the lowest id.

    16-bit models have many equals, and `topk` picks and orders them otherwise for each count: what
    a request is told would depend on what its neighbours in the step ask for.
    """
    if count == 1:
        # Twice as fast as `argmax`, and the first of equals as well.
        return logits.max(-1, keepdim=True).indices
    values, tokens = logits.topk(min(count + MARGIN, logits.shape[-1]), -1)
    tokens = tokens.sort(-1).values
    order = logits.gather(-1, tokens).sort(dim=-1, descending=True, stable=True).indices
    best = tokens.gather(-1, order[:, :count])
    if values.shape[-1] < logits.shape[-1]:
        least = values[:, count - 1]
        # Not `==`: what is not a number has to have tokens, too.
        uncertain = (~(values[:, -1] < least)).nonzero()[:, 0]
        if len(uncertain):
            best[uncertain] = first_of_equals(logits[uncertain], least[uncertain, None], count)
    return best


def first_of_equals(logits: torch.Tensor, least: torch.Tensor, count: int) -> torch.Tensor:
    """Return the `count` likeliest where more are as likely as the last of them, `least`."""
    rows, tokens = (~(logits < least)).nonzero(as_tuple=True)
    order = logits[rows, tokens].sort(descending=True, stable=True).indices
    order = order[rows[order].sort(stable=True).indices]
    lengths = rows.bincount(minlength=len(logits))
    starts = lengths.cumsum(0) - lengths
    return tokens[order][starts[:, None] + torch.arange(count, device=logits.device)]


def join(pieces: Sequence[Scores]) -> Scores:
    """Put pieces together again."""
    if len(pieces) == 1:
        return pieces[0]
    whole = Scores.empty()
    for piece in pieces:
        whole.extend(piece, 0, len(piece.logprobs))
    return whole
