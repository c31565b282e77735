from collections.abc import Callable, Iterator
from itertools import islice
from random import Random

import pytest

from demo.data import (
    Problem,
    distractors,
    documents,
    draw,
    held_out_problems,
    is_held_out,
    rows,
    training_problems,
)
from demo.tokenizer import ASSISTANT, END_OF_TEXT, USER


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (Problem(12, "+", 35), "12+35=47"),
        (Problem(47, "-", 12), "47-12=35"),
        (Problem(0, "+", 0), "0+0=0"),
        (Problem(99, "-", 99), "99-99=0"),
    ],
    ids=["sum", "difference", "smallest", "equal operands"],
)
def test_a_problem_knows_its_answer(problem: Problem, text: str) -> None:
    assert problem.text == text
    assert problem.question == text[: text.index("=") + 1]


def test_no_drawn_problem_has_a_negative_answer() -> None:
    random = Random(1)
    drawn = [draw(random) for _ in range(2000)]
    assert min(problem.value for problem in drawn) >= 0
    assert {problem.sign for problem in drawn} == {"+", "-"}


def test_a_sum_and_its_mirror_image_are_held_out_together() -> None:
    pairs = [(left, right) for left in range(30) for right in range(30)]
    assert all(
        is_held_out(Problem(left, "+", right)) == is_held_out(Problem(right, "+", left))
        for left, right in pairs
    )


def test_training_never_shows_a_held_out_problem() -> None:
    shown = set(islice(training_problems(Random(0)), 20_000))
    assert shown.isdisjoint(held_out_problems(Random(7), 500))


def test_held_out_problems_differ_from_each_other() -> None:
    assert len(set(held_out_problems(Random(7), 500))) == 500


def test_distractors_are_wrong_and_different() -> None:
    random = Random(3)
    for problem in (draw(random) for _ in range(500)):
        wrong = distractors(problem, random)
        assert len({problem.value, *wrong}) == 4
        assert min(wrong) >= 0


def test_every_line_of_every_document_is_true() -> None:
    for document in islice(documents(Random(0)), 300):
        assert document.endswith(END_OF_TEXT)
        turns = document.replace(ASSISTANT, "").replace(USER, "").replace(END_OF_TEXT, "\n")
        for line in turns.split():
            question, answer = line.split("=")
            left, sign, right = question.partition("+" if "+" in question else "-")
            assert int(answer) == (
                int(left) + int(right) if sign == "+" else int(left) - int(right)
            )


def test_documents_take_both_forms() -> None:
    sample = list(islice(documents(Random(0)), 200))
    assert {document.startswith(USER) for document in sample} == {True, False}


def encode(text: str) -> list[int]:
    return [ord(character) for character in text]


def test_rows_are_as_long_as_asked_and_start_with_a_document() -> None:
    random = Random(0)
    stream = rows(documents(random), encode, random, 40)
    for row in islice(stream, 200):
        assert len(row) == 40
        text = "".join(map(chr, row)).removeprefix(END_OF_TEXT).removeprefix(USER)
        assert text[0].isdigit()


@pytest.mark.parametrize(
    "stream",
    [training_problems, documents, lambda random: rows(documents(random), encode, random, 40)],
    ids=["problems", "documents", "rows"],
)
def test_the_same_seed_gives_the_same_data(stream: Callable[[Random], Iterator[object]]) -> None:
    def first(seed: int) -> list[object]:
        return list(islice(stream(Random(seed)), 50))

    assert first(4) == first(4)
    assert first(4) != first(5)
