"""Stop texts, looked for in what a sequence's newest tokens say."""

from collections.abc import Callable, Sequence

Decode = Callable[[Sequence[int]], str]


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
    # What stood there before, the sequence was allowed to say.
    before = len(decode(tokens[-window:-1]))
    new = [stop for stop, end in ends.items() if end > before]
    return min(new, key=lambda stop: ends[stop] - len(stop), default=None)
