"""Batches of training data, with the weights that make the answers count."""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from random import Random

import torch
from tokenizers import Tokenizer

from demo.data import documents, rows
from demo.tokenizer import ASSISTANT, END_OF_TEXT

BATCH_SIZE = 32
QUESTION_WEIGHT = 0.1
"""Weight of the tokens that nobody can predict, the operands, against the answers' 1."""


def batches(
    tokenizer: Tokenizer, random: Random, length: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield batches of ``length + 1`` tokens, and the weights of the last `length`."""

    def encode(text: str) -> list[int]:
        return list(tokenizer.encode(text, add_special_tokens=False).ids)

    weigh = partial(
        answer_weights,
        opening={*encode("="), *encode(ASSISTANT)},
        closing={*encode("\n"), *encode(END_OF_TEXT)},
    )
    stream = rows(documents(random), encode, random, length + 1)
    while True:
        batch = list(islice(stream, BATCH_SIZE))
        yield torch.tensor(batch), torch.tensor([weigh(row) for row in batch])


def answer_weights(row: Sequence[int], opening: set[int], closing: set[int]) -> list[float]:
    """Weigh each token after the first: in full from an opening token up to the closing one."""
    weights = []
    is_answer = False
    for token in row[:-1]:
        is_answer = token in opening or (is_answer and token not in closing)
        weights.append(1.0 if is_answer else QUESTION_WEIGHT)
    return weights
