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


def found_stop(tokens: Sequence[int], stops: Sequence[str], decode: Decode) -> str | None:
    """Return the stop text that the newest token completed, the first to begin; None if none."""
    if not stops or not tokens:
        return None
    # Every token but a special one has a byte at least, and a character four at most.
    window = 4 * max(map(len, stops)) + 16
    text = decode(tokens[-window:])
    ends = {stop: text.rindex(stop) + len(stop) for stop in stops if stop in text}
    if not ends:
        return None
    # What stood there before, the sequence was allowed to say; half a character said nothing yet.
    before = len(decode(tokens[-window:-1]).rstrip(UNFINISHED))
    new = [stop for stop, end in ends.items() if end > before]
    return min(new, key=lambda stop: ends[stop] - len(stop), default=None)
