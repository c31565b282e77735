"""Log-probabilities as the API writes them: pure functions over the engine's columns."""

from collections.abc import Iterable, Sequence
from typing import Any

from proctor_runtime.engine.protocol import GenerateRequest, ScoredTokens
from proctor_runtime.engine.stops import UNFINISHED
from proctor_runtime.openai.answer import joined
from proctor_runtime.openai.offsets import Offsets
from proctor_runtime.openai.requests import InvalidRequestError
from proctor_runtime.tokenizer import Tokenizer

LOWEST = -9999.0
"""Stands for minus infinity, which JSON has not; OpenAI's and vLLM's number."""

MOST_NUMBERS = 1 << 22
"""Log-probabilities of one request: each takes over 100 bytes of memory on its way out."""


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
    prompt: ScoredTokens, new: ScoredTokens, tokenizer: Tokenizer, offsets: Offsets
) -> dict[str, list[Any]]:
    """Return the four parallel lists of the completions API, one entry per token."""
    scored = joined(prompt, new) if prompt else new
    texts = [token_text(token, tokenizer) for token in scored.tokens]
    columns = (scored.tokens, texts, scored.logprobs, scored.top_tokens, scored.top_logprobs)
    return {
        "tokens": texts,
        "token_logprobs": [None if v is None else max(v, LOWEST) for v in scored.logprobs],
        "top_logprobs": [
            None
            if logprob is None
            else top_by_text(token, text, logprob, zip(ids, values, strict=True), tokenizer)
            for token, text, logprob, ids, values in zip(*columns, strict=True)
        ],
        "text_offset": offsets.of_prompt(prompt.tokens) + offsets.of_new(new.tokens),
    }


def token_text(token: int, tokenizer: Tokenizer) -> str:
    """Return how a token is written: as its text, or as OpenAI's ``bytes:`` if it is a part of it.

    All parts of characters have the same text, which is that of no character.
    """
    piece = tokenizer.piece(token)
    if UNFINISHED not in piece:
        return piece
    own = tokenizer.piece_bytes(token)
    try:
        return own.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(map(written_byte, own))


def written_byte(byte: int) -> str:
    """Return a byte as its letter, or its number where it has none."""
    letter = chr(byte)
    return letter if letter.isascii() and letter.isprintable() else f"\\x{byte:02x}"


def top_by_text(
    token: int,
    text: str,
    logprob: float,
    alternatives: Iterable[tuple[int, float]],
    tokenizer: Tokenizer,
) -> dict[str, float]:
    """Return the alternatives by their text, the realised token always among them.

    Different tokens can have the same text. It stands for the realised one, else for the
    likeliest; the others are written by their id, as vLLM does, and none is left out: whoever
    looks for the likeliest has to find it.
    """
    by_text: dict[str, float] = {}
    for other, value in alternatives:
        name = text if other == token else token_text(other, tokenizer)
        if other != token and (name == text or name in by_text):
            name = f"token_id:{other}"
        by_text[name] = max(LOWEST, value)
    by_text.setdefault(text, max(logprob, LOWEST))
    return by_text


def chat_logprobs(scored: ScoredTokens, tokenizer: Tokenizer) -> dict[str, Any]:
    """Return the chat API's log-probabilities, one entry per token."""

    def entry(token: int, logprob: float | None) -> dict[str, Any]:
        return {
            "token": token_text(token, tokenizer),
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
