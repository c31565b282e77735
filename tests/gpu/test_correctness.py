"""The engine's answers do not depend on where it computes, nor on over how many devices."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from demo import ARITHMETIC
from demo.scores import flatten
from proctor_runtime.engine.protocol import Completion, ScoredToken
from tests.gpu.answers import Configuration
from tests.gpu.conftest import REFERENCE, AnswersOf, parameters
from tests.gpu.demo_tasks import scores


@dataclass(frozen=True)
class Tolerance:
    """How far from the CPU's float32 a number may be."""

    probability: float
    """Of any token."""
    mean: float
    """Of all tokens' probabilities."""
    margin: float
    """By so much, in nats, a token has to be ahead in order to be the likeliest everywhere."""
    score: float
    """Of a task."""


TOLERANCES = {
    "float32": Tolerance(probability=1e-3, mean=1e-5, margin=1e-3, score=1e-4),
    # Eight bits of mantissa. Measured on the CPU: 0.049, 0.0019, 0.096 and 0.0002.
    "bfloat16": Tolerance(probability=0.1, mean=0.01, margin=0.3, score=0.02),
}

EVERYWHERE = parameters(
    Configuration("cpu", "bfloat16"),
    Configuration("cpu", "float32", tensor=2),
    Configuration("cuda", "float32"),
    Configuration("cuda", "bfloat16"),
    Configuration("cuda", "bfloat16", graphs=False),
    Configuration("cuda", "float32", tensor=2),
    Configuration("cuda", "bfloat16", tensor=2),
)


def scored_alike(one: Completion, other: Completion) -> Iterator[tuple[ScoredToken, ScoredToken]]:
    """Tokens of the two that were scored after the same tokens."""
    yield from zip(one.prompt, other.prompt, strict=True)
    for mine, theirs in zip(one.tokens, other.tokens, strict=False):
        yield mine, theirs
        if mine.token != theirs.token:
            return


@pytest.mark.parametrize("configuration", EVERYWHERE)
def test_probabilities_and_greedy_tokens_are_the_cpus(
    demo_answers: AnswersOf, configuration: Configuration
) -> None:
    tolerance = TOLERANCES[configuration.dtype]
    distances = []
    for batch, reference in zip(demo_answers(configuration), demo_answers(REFERENCE), strict=True):
        for mine, theirs in zip(batch, reference, strict=True):
            for a, b in scored_alike(mine, theirs):
                if b.logprob is None:
                    assert a.logprob is None
                    continue
                (likeliest, best), (_, next_best) = b.top
                if best - next_best > tolerance.margin:
                    assert a.top[0][0] == likeliest
                if a.token == b.token:
                    assert a.logprob is not None
                    distances.append(abs(math.exp(a.logprob) - math.exp(b.logprob)))
    assert len(distances) > 10_000
    assert max(distances) <= tolerance.probability
    assert sum(distances) / len(distances) <= tolerance.mean


@pytest.mark.parametrize("configuration", [*parameters(REFERENCE), *EVERYWHERE])
def test_the_demos_scores_are_those_of_lm_evals_own_engine(
    demo_answers: AnswersOf, configuration: Configuration
) -> None:
    stored = json.loads((ARITHMETIC / "reference.json").read_text())
    expected = flatten(stored)
    tolerance = TOLERANCES[configuration.dtype].score
    for name, score in scores(demo_answers(configuration)).items():
        assert score == pytest.approx(expected[name], abs=tolerance), name
