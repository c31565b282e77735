"""The data: sums and differences, apart in what the model learns from and what it is asked.

Everything here is a pure function of its seed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Literal
from zlib import crc32

from demo.tokenizer import ASSISTANT, END_OF_TEXT, USER

DIGITS = (1, 2)
"""How long an operand may be, each length as likely as the others."""

HELD_OUT_ONE_IN = 10
"""One problem in this many is never learned from."""

LINES_PER_DOCUMENT = 6
"""The longest document of the training data, in problems."""

CHAT_SHARE = 0.15
"""How much of the training data has the form of the chat template."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One sum or difference; no difference is negative."""

    left: int
    sign: Literal["+", "-"]
    right: int

    @property
    def question(self) -> str:
        """The problem up to and including its equals sign."""
        return f"{self.left}{self.sign}{self.right}="

    @property
    def value(self) -> int:
        """The right answer."""
        return self.left + self.right if self.sign == "+" else self.left - self.right

    @property
    def text(self) -> str:
        """The problem with its answer."""
        return f"{self.question}{self.value}"


def draw(random: Random) -> Problem:
    """Draw a problem; the larger operand of a difference comes first."""
    left, right = (operand(random) for _ in range(2))
    if random.random() < 0.5:
        return Problem(left, "+", right)
    return Problem(max(left, right), "-", min(left, right))


def operand(random: Random) -> int:
    """Draw an operand: first its length, so that short ones are not drowned by long ones."""
    digits = random.choice(DIGITS)
    return random.randrange(10 ** (digits - 1) if digits > 1 else 0, 10**digits)


def is_held_out(problem: Problem) -> bool:
    """Tell whether the model must not learn from `problem`, nor from its mirror image b+a."""
    operands = sorted((problem.left, problem.right))
    return crc32(f"{operands}{problem.sign}".encode()) % HELD_OUT_ONE_IN == 0


def training_problems(random: Random) -> Iterator[Problem]:
    """An endless stream of problems to learn from."""
    while True:
        problem = draw(random)
        if not is_held_out(problem):
            yield problem


def held_out_problems(random: Random, count: int) -> list[Problem]:
    """Draw `count` different problems that training never shows."""
    found: dict[Problem, None] = {}
    while len(found) < count:
        problem = draw(random)
        if is_held_out(problem):
            found[problem] = None
    return list(found)


def distractors(problem: Problem, random: Random, count: int = 3) -> list[int]:
    """Wrong answers of the kind that a slip makes: a digit off by one or two, or a lost carry."""
    slips = {
        problem.value + slip for slip in (-100, -20, -11, -10, -9, -2, -1, 1, 2, 9, 10, 11, 20, 100)
    }
    return random.sample(sorted(slip for slip in slips if slip >= 0), count)


def documents(random: Random) -> Iterator[str]:
    """An endless stream of training documents, each closed by the end-of-text token."""
    problems = training_problems(random)
    while True:
        lines = list(islice(problems, random.randint(1, LINES_PER_DOCUMENT)))
        if random.random() < CHAT_SHARE:
            yield "".join(
                f"{USER}{one.question}{ASSISTANT}{one.value}{END_OF_TEXT}" for one in lines
            )
        else:
            yield "".join(f"{one.text}\n" for one in lines) + END_OF_TEXT


def rows(
    stream: Iterator[str], encode: Callable[[str], list[int]], random: Random, length: int
) -> Iterator[list[int]]:
    """An endless stream of documents, packed into rows of exactly `length` tokens.

    Half of the rows start with the end-of-text token, as rolling perplexity does, and
    half with the text, as a zero-shot question does. What overflows a row is dropped,
    for a row that started within a problem would teach nonsense.
    """
    while True:
        row = encode(random.choice(("", END_OF_TEXT)))
        while len(row) < length:
            row += encode(next(stream))
        yield row[:length]
