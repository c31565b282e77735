"""Log-probabilities as the API writes them: pure functions over the engine's columns."""

from collections.abc import Sequence
from typing import Any

from proctor_runtime.engine.protocol import GenerateRequest, ScoredTokens
from proctor_runtime.openai.requests import InvalidRequestError
from proctor_runtime.tokenizer import Tokenizer

LOWEST = -9999.0
"""Stands for minus infinity, which JSON has not; OpenAI's and vLLM's number."""

MOST_NUMBERS = 1 << 22
"""Log-probabilities of one request: each takes about 80 bytes on its way into the answer."""


def check_numbers(asked: Sequence[GenerateRequest]) -> None:
    """Refuse a request whose log-probabilities would take too much of the server's memory."""
    count = sum(numbers(one) for one in asked)
    if count > MOST_NUMBERS:
        raise InvalidRequestError(
            f"the request asks for up to {count} log-probabilities, tokens times one more than "
            f"their alternatives, but {MOST_NUMBERS} is the most of one request: send several "
            "requests, or ask for fewer alternatives or tokens"
        )


def numbers(one: GenerateRequest) -> int:
    """Count the log-probabilities that a sequence may get."""
    scored = len(one.prompt) if one.prompt_logprobs else 0
    return (scored + one.max_new_tokens) * (one.top_logprobs + 1)


def completion_logprobs(
    scored: ScoredTokens, tokenizer: Tokenizer, *, offset: int = 0
) -> dict[str, list[Any]]:
    """Return the four parallel lists of the completions API, one entry per token.

    `offset` is where in the answer's text the first token begins.
    """
    tokens = [tokenizer.piece(token) for token in scored.tokens]
    offsets = []
    for token in tokens:
        offsets.append(offset)
        offset += len(token)
    return {
        "tokens": tokens,
        "token_logprobs": [None if v is None else max(v, LOWEST) for v in scored.logprobs],
        "top_logprobs": [
            None if logprob is None else top_by_text(token, logprob, ids, values, tokenizer)
            for token, logprob, ids, values in zip(
                scored.tokens, scored.logprobs, scored.top_tokens, scored.top_logprobs, strict=True
            )
        ],
        "text_offset": offsets,
    }


def top_by_text(
    token: int,
    logprob: float,
    ids: Sequence[int],
    values: Sequence[float],
    tokenizer: Tokenizer,
) -> dict[str, float]:
    """Return the alternatives by their text, the realised token always among them.

    Different tokens can have the same text (parts of characters do); the likelier one stands.
    """
    piece = tokenizer.piece
    by_text: dict[str, float] = {}
    for other, value in zip(ids, values, strict=True):
        by_text.setdefault(piece(other), max(LOWEST, value))
    by_text.setdefault(piece(token), max(logprob, LOWEST))
    return by_text


def chat_logprobs(scored: ScoredTokens, tokenizer: Tokenizer) -> dict[str, Any]:
    """Return the chat API's log-probabilities, one entry per token."""

    def entry(token: int, logprob: float | None) -> dict[str, Any]:
        return {
            "token": tokenizer.piece(token),
            "logprob": LOWEST if logprob is None else max(logprob, LOWEST),
            "bytes": list(tokenizer.piece_bytes(token)),
        }

    return {
        "content": [
            {**entry(one.token, one.logprob), "top_logprobs": [entry(*other) for other in one.top]}
            for one in scored
        ],
        "refusal": None,
    }
