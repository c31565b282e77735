"""Where in a completion's text its tokens begin."""

from codecs import getincrementaldecoder
from collections.abc import Iterable, Sequence

from proctor_runtime.engine.stops import UNFINISHED
from proctor_runtime.openai.text import TextRules
from proctor_runtime.tokenizer import Tokenizer


class Offsets:
    """Walks along one choice's text: along the echoed prompt, then along what is new.

    The text is not its tokens' texts joined: special tokens may not be in it, its first word may
    lack the space that the token has, and several tokens can make up one character.
    """

    def __init__(self, tokenizer: Tokenizer, rules: TextRules, echo: str = "") -> None:
        self._tokenizer = tokenizer
        self._echo = echo
        self._skips = rules.skip_special_tokens
        self._begun = any(self._is_shown(token) for token in rules.context)
        self._open = Characters()
        self._at = 0

    def of_prompt(self, tokens: Sequence[int]) -> list[int]:
        """Return where the echoed tokens begin, if any; what is new follows the echo."""
        if not tokens:
            return []
        piece_of, echo, at = self._tokenizer.piece, self._echo, 0
        offsets = []
        for token in tokens:
            offsets.append(at)
            piece = piece_of(token)
            if echo.startswith(piece, at):
                at += len(piece)
            else:
                at = min(at + self._width_otherwise(token, at), len(echo))
        self._at = len(echo)
        self._open = Characters()
        return offsets

    def of_new(self, tokens: Iterable[int]) -> list[int]:
        """Return where new tokens begin, which follow the last that were asked about."""
        offsets = []
        for token in tokens:
            offsets.append(self._at)
            if self._is_shown(token):
                self._at += self._width(token) if self._begun else self._first_width(token)
                self._begun = True
        return offsets

    def _is_shown(self, token: int) -> bool:
        return not (self._skips and self._tokenizer.is_special(token))

    def _width_otherwise(self, token: int, at: int) -> int:
        """Return how much of the echo is a token's that is not there as it is written."""
        if self._tokenizer.is_special(token):
            return 0
        piece = self._tokenizer.piece(token)
        if piece.startswith(" ") and self._echo.startswith(piece[1:], at):
            return len(piece) - 1
        return self._width(token)

    def _width(self, token: int) -> int:
        piece = self._tokenizer.piece(token)
        if self._open or UNFINISHED in piece:
            return self._open.completed_by(self._tokenizer.piece_bytes(token))
        return len(piece)

    def _first_width(self, token: int) -> int:
        alone = self._tokenizer.decode([token], skip_special_tokens=False)
        return self._width(token) if UNFINISHED in alone else len(alone)


class Characters:
    """Counts characters as their bytes come; true while one is under way."""

    def __init__(self) -> None:
        self._decoder = getincrementaldecoder("utf-8")(errors="replace")

    def completed_by(self, more: bytes) -> int:
        """Take in bytes; return how many characters are complete now and were not before."""
        return len(self._decoder.decode(more))

    def __bool__(self) -> bool:
        return bool(self._decoder.getstate()[0])
