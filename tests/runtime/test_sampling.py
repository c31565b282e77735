"""How tokens are picked, on logits that are written down."""

from typing import Any

import pytest
import torch

from proctor_runtime.engine.protocol import Sampling
from proctor_runtime.engine.scheduling.step import Draws
from tests.runtime.conftest import quiet

with quiet():
    from proctor_runtime.engine.megatron.sampling import Sampler

NAN = float("nan")
LOGITS = torch.tensor([1.0, 3.0, 2.0, -1.0, 2.5])


def draws(sequence: int = 0, *, prompt: tuple[int, ...] = (), **fields: Any) -> Draws:
    stop_ids, least = fields.pop("stop_ids", ()), fields.pop("min_new_tokens", 0)
    return Draws(sequence, Sampling(**fields), prompt, stop_ids, least)


def picks(count: int, logits: torch.Tensor = LOGITS, **fields: Any) -> list[int]:
    sampler = Sampler()
    sampler.join(draws(**fields))
    return [int(sampler.pick(logits[None], [0])[0]) for _ in range(count)]


def shares(**fields: Any) -> torch.Tensor:
    drawn = picks(4000, temperature=1.0, seed=1, **fields)
    return torch.bincount(torch.tensor(drawn), minlength=len(LOGITS)) / len(drawn)


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({}, [0, 1, 2, 3, 4]),
        ({"top_k": 2}, [1, 4]),
        ({"top_p": 0.6}, [1, 4]),
        ({"min_p": 0.3}, [1, 2, 4]),
        ({"top_k": 3, "top_p": 0.5}, [1]),
        ({"top_k": 99, "top_p": 1e-9}, [1]),
    ],
    ids=["all", "top-k", "top-p", "min-p", "top-k and top-p", "always one"],
)
def test_what_stays_is_drawn_as_often_as_it_is_likely(
    fields: dict[str, Any], kept: list[int]
) -> None:
    expected = torch.zeros(len(LOGITS))
    expected[kept] = LOGITS[kept].softmax(-1)
    assert float((shares(**fields) - expected).abs().sum()) / 2 < 0.03


def test_temperature_sharpens() -> None:
    drawn = torch.tensor(picks(4000, temperature=0.5, seed=1))
    expected = (LOGITS / 0.5).softmax(-1)
    share = torch.bincount(drawn, minlength=len(LOGITS)) / len(drawn)
    assert float((share - expected).abs().sum()) / 2 < 0.03


def test_bias_moves_the_likeliest_and_forbids() -> None:
    assert picks(1, logit_bias=((3, 10.0),)) == [3]
    assert picks(1, logit_bias=((1, -100.0),)) == [4]


def test_presence_counts_once_and_frequency_every_time() -> None:
    logits = torch.tensor([2.0, 1.5, 0.0])
    assert picks(4, logits, presence_penalty=1.0) == [0, 1, 0, 0]
    assert picks(5, logits, frequency_penalty=0.4) == [0, 0, 1, 0, 1]


def test_repetition_counts_the_prompt_too() -> None:
    logits = torch.tensor([2.0, 1.5, -1.0])
    assert picks(1, logits, prompt=(0,), repetition_penalty=2.0) == [1]
    assert picks(2, -logits, prompt=(2,), repetition_penalty=4.0) == [2, 2]
    assert picks(1, torch.tensor([-1.0, -1.5]), prompt=(0,), repetition_penalty=2.0) == [1]


def test_stops_are_not_picked_before_the_least_length() -> None:
    assert picks(4, stop_ids=(1,), min_new_tokens=2) == [4, 4, 1, 1]


def test_stops_that_the_model_cannot_say_change_nothing() -> None:
    stops = (1, len(LOGITS), 10**6, -1)
    assert picks(4, stop_ids=stops, min_new_tokens=2) == [4, 4, 1, 1]
    assert picks(1, stop_ids=(len(LOGITS),), min_new_tokens=2) == [1]


@pytest.mark.parametrize("temperature", [1e-40, 9e-6])
def test_a_temperature_next_to_nothing_is_greedy(temperature: float) -> None:
    assert picks(3, temperature=temperature, seed=1) == [1, 1, 1]


@pytest.mark.parametrize(
    ("fields", "logits"),
    [
        ({"temperature": 1e-40}, LOGITS),
        ({"temperature": 1e-4}, LOGITS * 1e36),
        ({"temperature": 1.0, "repetition_penalty": 1e-40, "prompt": (1, 2)}, LOGITS),
        ({"temperature": 1.0}, LOGITS * NAN),
        ({"temperature": 1.0, "top_k": 2}, LOGITS * NAN),
        ({"temperature": 1.0, "top_p": 0.5, "min_p": 0.1}, LOGITS * NAN),
        ({"logit_bias": ((3, 1.0),)}, LOGITS * NAN),
    ],
    ids=["cold", "large", "unpenalised", "not numbers", "top-k", "top-p and min-p", "greedy"],
)
def test_what_is_no_distribution_gives_a_token_that_exists_and_leaves_the_next_row_alone(
    fields: dict[str, Any], logits: torch.Tensor
) -> None:
    sampler = Sampler()
    sampler.join(draws(0, **fields))
    sampler.join(draws(1, temperature=1.0, top_p=0.9, seed=5))
    rows = torch.stack([logits, LOGITS])
    drawn = [sampler.pick(rows, [0, 1]).tolist() for _ in range(20)]
    assert {0 <= token < len(LOGITS) for token, _ in drawn} == {True}
    assert [token for _, token in drawn] == picks(20, temperature=1.0, top_p=0.9, seed=5)


def test_each_sequence_draws_for_itself() -> None:
    def together(others: int) -> list[int]:
        sampler = Sampler()
        numbers = range(others + 1)
        for number in numbers:
            sampler.join(draws(number, temperature=1.0, top_p=0.9 - number / 100, seed=number))
        rows = LOGITS.expand(others + 1, -1)
        return [int(sampler.pick(rows, list(numbers))[0]) for _ in range(20)]

    assert together(0) == together(64)


def test_who_says_nothing_is_greedy_and_who_has_left_is_forgotten() -> None:
    sampler = Sampler()
    sampler.join(draws(7, logit_bias=((3, 10.0),)))
    rows = LOGITS.expand(2, -1)
    assert sampler.pick(rows, [7, 8]).tolist() == [3, 1]
    sampler.leave(7)
    assert sampler.pick(rows, [7, 8]).tolist() == [1, 1]
    assert rows[0].tolist() == LOGITS.tolist()
