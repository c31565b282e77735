from itertools import islice
from random import Random

import pytest

from demo.batches import BATCH_SIZE, answer_weights, batches
from demo.tokenizer import build_tokenizer


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
