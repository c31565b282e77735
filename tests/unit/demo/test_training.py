# ruff: noqa: S311 - nothing here is secret
from itertools import islice
from random import Random

import pytest
from demo.tokenizer import build_tokenizer
from demo.training import BATCH_SIZE, STEPS, answer_weights, batches, learning_rate


@pytest.mark.parametrize(
    ("row", "weights"),
    [
        ("1=2;3", [0.1, 1.0, 1.0, 0.1]),
        ("12=", [0.1, 0.1]),
        (";1=23", [0.1, 0.1, 1.0, 1.0]),
        ("=1;", [1.0, 1.0]),
    ],
    ids=["answer and its end", "no answer", "cut off", "starts with an answer"],
)
def test_answers_weigh_in_full(row: str, weights: list[float]) -> None:
    opening, closing = {ord("=")}, {ord(";")}
    assert answer_weights([ord(one) for one in row], opening, closing) == weights


def test_a_batch_has_a_weight_for_each_predicted_token() -> None:
    ((tokens, weights),) = islice(batches(build_tokenizer(), Random(0), 16), 1)
    assert tokens.shape == (BATCH_SIZE, 17)
    assert weights.shape == (BATCH_SIZE, 16)


def test_the_learning_rate_rises_holds_and_falls() -> None:
    rates = [learning_rate(step) for step in range(STEPS)]
    assert max(rates) == rates[STEPS // 2] == 1.0
    assert rates[0] < 0.05
    assert 0 < rates[-1] < 0.05
