"""Stop texts, looked for in what a sequence's newest tokens say."""

from collections.abc import Callable, Sequence
from typing import Protocol

UNFINISHED = "\N{REPLACEMENT CHARACTER}"
"""What decoders make of a character whose last bytes are in tokens to come."""

Decode = Callable[[Sequence[int]], str]


class DecodeEither(Protocol):
    """Tells what tokens say, without or with the special ones."""

    def __call__(self, tokens: Sequence[int], /, *, skip_special_tokens: bool) -> str:
        """Return the text."""
        ...


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
    ahead = context if len(newest) == len(tokens) else ()
    start = len(decode(ahead)) if ahead else 0
    text = decode([*ahead, *newest])[start:]
    ends = {stop: text.rindex(stop) + len(stop) for stop in stops if stop in text}
    if not ends:
        return None
    # What stood there before, the sequence was allowed to say; half a character said nothing yet.
    before = len(decode([*ahead, *newest[:-1]])[start:].rstrip(UNFINISHED))
    new = [stop for stop, end in ends.items() if end > before]
    return min(new, key=lambda stop: ends[stop] - len(stop), default=None)
