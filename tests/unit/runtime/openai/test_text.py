from collections.abc import Sequence
from itertools import groupby
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor_runtime.engine.stops import UNFINISHED
from proctor_runtime.openai.text import (
    Stop,
    TextRules,
    TextStream,
    context_of,
    find_stop,
    overlap,
    whole_text,
)
from tests.runtime.characters import CharacterTokenizer


class Bytes(CharacterTokenizer):
    """A tokenizer whose tokens are bytes."""

    def decode(self, tokens: Sequence[int], *, skip_special_tokens: bool = True) -> str:
        return bytes(t for t in tokens if t or not skip_special_tokens).decode(errors="replace")


class Runs(CharacterTokenizer):
    """A tokenizer with byte fallback, whose decoder reads a run of bytes whole or not at all."""

    def encode(self, text: str, **_: Any) -> list[int]:
        return [t for c in text for t in ([ord(c)] if c == "a" else [256 + b for b in c.encode()])]

    def decode(self, tokens: Sequence[int], **_: Any) -> str:
        runs = groupby(tokens, lambda token: token >= 256)
        return "".join(map(self.run, (list(run) for _, run in runs)))

    def run(self, tokens: Sequence[int]) -> str:
        try:
            return bytes(token & 255 for token in tokens).decode()
        except UnicodeDecodeError:
            return UNFINISHED * len(tokens)


class Words(CharacterTokenizer):
    """A tokenizer of words, whose decoder drops the space before a text's first."""

    def decode(self, tokens: Sequence[int], *, skip_special_tokens: bool = True) -> str:
        return " ".join("abcdefgh"[token] for token in tokens if token or not skip_special_tokens)


def streamed(text: str, rules: TextRules) -> tuple[list[str], str | None]:
    stream = TextStream(Bytes(), rules)
    shown = [stream.push([token]) for token in text.encode()]
    return [*shown, stream.finish()], stream.stop


@pytest.mark.parametrize(
    ("text", "marker", "characters"),
    [("abc", "cd", 1), ("abc", "abc", 0), ("abc", "abcd", 3), ("", "x", 0), ("aa", "aab", 2)],
)
def test_overlap_is_what_may_begin_the_marker(text: str, marker: str, characters: int) -> None:
    assert overlap(text, marker) == characters


@pytest.mark.parametrize(
    ("text", "stops", "floor", "found"),
    [
        ("abcd", ["cd", "bc"], 0, Stop(1, "bc")),
        ("abcd", ["x"], 0, None),
        ("a.b.", ["."], 2, Stop(3, ".")),
        ("ab.c", ["b."], 2, Stop(1, "b.")),
        ("ab.c", ["b."], 3, None),
    ],
    ids=["first to begin", "none", "the one behind the floor", "across the floor", "before it"],
)
def test_the_stop_that_counts(
    text: str, stops: Sequence[str], floor: int, found: Stop | None
) -> None:
    assert find_stop(text, stops, floor) == found


def test_a_character_may_begin_before_the_least_length_and_stop_behind_it() -> None:
    text, rules = "né", TextRules(stops=("é",), min_tokens=3)
    assert whole_text(Bytes(), rules, list(text.encode())) == ("n", "é")
    shown, stop = streamed(text, rules)
    assert ("".join(shown), stop) == ("n", "é")


TEXTS = st.text("ab.é€😀\n", max_size=30)
STOPS = st.lists(st.text("ab.é€\n", min_size=1, max_size=4), max_size=3).map(tuple)


@given(TEXTS, STOPS, st.booleans(), st.integers(0, 12))
def test_a_stream_shows_the_whole_text_and_no_broken_character(
    text: str, stops: tuple[str, ...], keep: bool, min_tokens: int
) -> None:
    rules = TextRules(stops=stops, keep_stop=keep, min_tokens=min_tokens)
    shown, stop = streamed(text, rules)
    assert all("\N{REPLACEMENT CHARACTER}" not in bit for bit in shown)
    if min_tokens == 0:
        # What one token completed is the engine's affair: it says no more after it.
        ended = "".join(shown)
        assert text.startswith(ended)
        assert (stop is None) == (find_stop(text, stops) is None)
        assert ended == text if stop is None else True
    if stop is not None and not keep:
        assert all(ending not in "".join(shown)[len(text) :] for ending in stops)


@given(TEXTS, STOPS)
def test_no_part_of_a_stop_text_leaks(text: str, stops: tuple[str, ...]) -> None:
    shown, stop = streamed(text, TextRules(stops=stops))
    ended = "".join(shown)
    if stop is not None:
        assert text.startswith(ended + stop)
    assert find_stop(ended, stops) is None


@given(TEXTS)
def test_the_whole_text_is_the_streams(text: str) -> None:
    rules = TextRules(stops=(".",), min_tokens=3)
    shown, stop = streamed(text, rules)
    tokens = text.encode()
    # The engine ends with the token that completed the stop text.
    ends = (n for n in range(len(tokens) + 1) if whole_text(Bytes(), rules, tokens[:n])[1])
    ended = next(ends, len(tokens))
    assert whole_text(Bytes(), rules, tokens[:ended]) == ("".join(shown), stop)


def test_bytes_that_never_make_a_character_are_shown_at_last() -> None:
    stream = TextStream(Bytes(), TextRules())
    shown = "".join(stream.push([0x80]) for _ in range(50))
    assert 40 <= len(shown) < 50
    shown += "".join(stream.push([byte]) for byte in "€".encode()) + stream.finish()
    assert shown == "\N{REPLACEMENT CHARACTER}" * 50 + "€"


def test_a_character_left_unfinished_shows_as_one() -> None:
    stream = TextStream(Bytes(), TextRules())
    assert stream.push("€".encode()[:2]) == ""
    assert stream.finish() == "\N{REPLACEMENT CHARACTER}"


def test_the_space_after_the_prompt_is_kept() -> None:
    rules = TextRules(context=(4, 1))
    assert whole_text(Words(), rules, [2, 3]) == (" c d", None)
    stream = TextStream(Words(), rules)
    assert stream.push([2]) + stream.push([3]) + stream.finish() == " c d"
    assert whole_text(Words(), TextRules(), [2, 3]) == ("c d", None)


def test_a_long_text_is_decoded_bit_by_bit() -> None:
    lengths: list[int] = []

    class Counting(Bytes):
        def decode(self, tokens: Sequence[int], *, skip_special_tokens: bool = True) -> str:
            lengths.append(len(tokens))
            return super().decode(tokens, skip_special_tokens=skip_special_tokens)

    stream = TextStream(Counting(), TextRules())
    assert "".join(stream.push([97]) for _ in range(1000)) == "a" * 1000
    assert max(lengths) < 20


@given(st.text("a\n👍ไé", max_size=12), st.text("a\n👍ไé", max_size=40))
def test_runs_of_bytes_are_read_whole(prompt: str, text: str) -> None:
    tokenizer = Runs()
    asked, said = (tokenizer.encode(each, add_special_tokens=False) for each in (prompt, text))
    rules = TextRules(context=context_of(asked, tokenizer), stops=("\n\n",))
    stream = TextStream(tokenizer, rules)
    shown = "".join([*(stream.push([token]) for token in said), stream.finish()])
    assert shown == whole_text(tokenizer, rules, said)[0] == text.partition("\n\n")[0]
