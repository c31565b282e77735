"""Generated tokens to text: whole, or bit by bit as a stream may show it."""

from collections.abc import Sequence
from dataclasses import dataclass

from proctor_runtime.engine.stops import LONGEST_CHARACTER, UNFINISHED, whole_characters
from proctor_runtime.tokenizer import Tokenizer

CONTEXT_TOKENS = 6
"""Of the prompt's end: some decoders drop the space before a text's first word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRules:
    """How one request wants its text."""

    stops: tuple[str, ...] = ()
    """Texts that end it."""
    keep_stop: bool = False
    """Whether the stop text stays in."""
    min_tokens: int = 0
    """Before this many tokens, no text ends it."""
    skip_special_tokens: bool = True
    context: tuple[int, ...] = ()
    """What is continued: the end of the prompt, or nothing where a new text begins."""


def context_of(prompt: Sequence[int], tokenizer: Tokenizer) -> tuple[int, ...]:
    """Return the end of the prompt, as far as its continuation's text depends on it."""
    return tuple(whole_characters(last(prompt, len(prompt)), tokenizer.decode))


def last(tokens: Sequence[int], end: int) -> Sequence[int]:
    """Return the context of what stands behind `end`, and what may be cut off to begin it well."""
    return tokens[max(0, end - CONTEXT_TOKENS - LONGEST_CHARACTER + 1) :]


def overlap(text: str, marker: str) -> int:
    """Return how many characters at `text`'s end may be the beginning of `marker`."""
    most = min(len(text), len(marker) - 1)
    return next((n for n in range(most, 0, -1) if text.endswith(marker[:n])), 0)


@dataclass(frozen=True, slots=True)
class Stop:
    """Where a stop text stands."""

    at: int
    text: str

    def end(self, *, keep: bool) -> int:
        """Return where the text ends for it."""
        return self.at + (len(self.text) if keep else 0)


def find_stop(text: str, stops: Sequence[str], floor: int = 0) -> Stop | None:
    """Return the stop that begins first, of those that end behind `floor`; None if none."""
    found = [
        Stop(at, stop)
        for stop in stops
        if (at := text.find(stop, max(0, floor - len(stop) + 1))) >= 0
    ]
    return min(found, key=lambda stop: stop.at, default=None)


class Detokenizer:
    """Turns tokens into text as they come, and never shows half a character.

    Of vLLM's and TGI's making: what a token adds is the difference that it makes to the text of
    those shortly before it, for decoders look at neighbours.
    """

    def __init__(self, tokenizer: Tokenizer, rules: TextRules) -> None:
        self._tokenizer = tokenizer
        self._rules = rules
        self._tokens = list(rules.context)
        self._shown = len(self._tokens)

    def push(self, tokens: Sequence[int]) -> str:
        """Take in tokens; return the text that is certain now and was not before."""
        self._tokens += tokens
        text = self._unshown(len(self._tokens))
        if not text.endswith(UNFINISHED):
            return self._show(len(self._tokens), text)
        # A character that began longer ago than it can be long will never end.
        settled = len(self._tokens) - LONGEST_CHARACTER + 1
        if settled - self._shown > LONGEST_CHARACTER:
            return self._show(settled, self._unshown(settled))
        return ""

    def finish(self) -> str:
        """Return the rest; a character that stayed unfinished shows as one."""
        return self._show(len(self._tokens), self._unshown(len(self._tokens)))

    def _unshown(self, end: int) -> str:
        before = self._decode(self._tokens[: self._shown])
        return self._decode(self._tokens[:end])[len(before) :]

    def _show(self, end: int, text: str) -> str:
        # What was just shown is the context of what comes; older tokens have said all they can.
        kept = whole_characters(last(self._tokens[:end], self._shown), self._decode)
        self._tokens = [*kept, *self._tokens[end:]]
        self._shown = len(kept)
        return text

    def _decode(self, tokens: Sequence[int]) -> str:
        skip = self._rules.skip_special_tokens
        return self._tokenizer.decode(tokens, skip_special_tokens=skip)


class TextStream:
    """One choice's text as it is shown: held back where it may turn out to be a stop text."""

    def __init__(self, tokenizer: Tokenizer, rules: TextRules) -> None:
        self._detokenizer = Detokenizer(tokenizer, rules)
        self._rules = rules
        self._text = ""
        self._shown = 0
        self._tokens = 0
        self._floor = 0
        self.stop: str | None = None
        """The stop text that ended it; what comes after is not shown."""

    def push(self, tokens: Sequence[int]) -> str:
        """Take in tokens; return what may be shown."""
        return "".join(map(self._push, tokens))

    def finish(self) -> str:
        """Return what was held back in vain."""
        if self.stop is None:
            self._take(self._detokenizer.finish())
        return self._show(len(self._text))

    def _push(self, token: int) -> str:
        if self.stop is not None:
            return ""
        self._tokens += 1
        if self._tokens < self._rules.min_tokens:
            self._text += self._detokenizer.push([token])
            self._floor = len(self._text)
        else:
            self._take(self._detokenizer.push([token]))
        if self.stop is not None:
            return self._show(len(self._text))
        held = max((overlap(self._text, stop) for stop in self._rules.stops), default=0)
        return self._show(len(self._text) - held)

    def _take(self, text: str) -> None:
        """Append; cut where that completed a stop text."""
        self._text += text
        found = find_stop(self._text[self._shown :], self._rules.stops, self._floor - self._shown)
        if found:
            end = self._shown + found.end(keep=self._rules.keep_stop)
            self._text, self.stop = self._text[:end], found.text

    def _show(self, end: int) -> str:
        shown = self._text[self._shown : end]
        self._shown = max(self._shown, end)
        return shown


def whole_text(
    tokenizer: Tokenizer, rules: TextRules, tokens: Sequence[int]
) -> tuple[str, str | None]:
    """Return the text of a finished choice, and the stop text that it was cut at, if any."""

    def decode(count: int) -> str:
        skip = rules.skip_special_tokens
        together = [*rules.context, *tokens[:count]]
        return tokenizer.decode(together, skip_special_tokens=skip)[before:]

    before = 0
    before = len(decode(0)) if rules.context else 0
    text = decode(len(tokens))
    least = decode(rules.min_tokens - 1) if rules.stops and rules.min_tokens > 1 else ""
    found = find_stop(text, rules.stops, len(least.rstrip(UNFINISHED)))
    return (text[: found.end(keep=rules.keep_stop)], found.text) if found else (text, None)
