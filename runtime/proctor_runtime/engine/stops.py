"""Stop texts, looked for in what a sequence's newest tokens say."""

from collections.abc import Callable, Sequence
from typing import Protocol

UNFINISHED = "\N{REPLACEMENT CHARACTER}"
"""What decoders make of a character whose last bytes are in tokens to come."""

LONGEST_CHARACTER = 4
"""Bytes, and so tokens, of one character at most."""

Decode = Callable[[Sequence[int]], str]


class DecodeEither(Protocol):
    """Tells what tokens say, without or with the special ones."""

    def __call__(self, tokens: Sequence[int], /, *, skip_special_tokens: bool) -> str:
        """Return the text."""
        ...


def whole_characters(tokens: Sequence[int], decode: Decode) -> Sequence[int]:
    """Leave out the first tokens where they are but the end of a character.

    A decoder with byte fallback makes nothing of a whole run of bytes in which one is amiss.
    """
    begun = (tokens[skipped:] for skipped in range(LONGEST_CHARACTER))
    return next((own for own in begun if not decode(own).startswith(UNFINISHED)), tokens)


def found_stop(
    tokens: Sequence[int], stops: Sequence[str], decode: Decode, context: Sequence[int] = ()
) -> str | None:
    """Return the stop text that the newest token completed, the first to begin; None if none.

    `context` are the tokens that the first one follows; they say nothing of the text themselves.
    """
    if not stops or not tokens:
        return None
    # Every token but a special one has a byte at least, and a character four at most.
    newest = tokens[-(4 * max(map(len, stops)) + 16) :]
    context = context if len(newest) == len(tokens) else ()
    start = len(decode(context)) if context else 0
    text = decode([*context, *newest])[start:]
    if text.startswith(UNFINISHED) and not context:
        newest = whole_characters(newest, decode)
        text = decode(newest)
    ends = {stop: text.rindex(stop) + len(stop) for stop in stops if stop in text}
    if not ends:
        return None
    # What stood there before, the sequence was allowed to say; half a character said nothing yet.
    before = len(decode([*context, *newest[:-1]])[start:].rstrip(UNFINISHED))
    new = [stop for stop, end in ends.items() if end > before]
    return min(new, key=lambda stop: ends[stop] - len(stop), default=None)
