"""Alternatives, where many logits are equal: a function of the row and of nothing else."""

import pytest
import torch

from tests.runtime.conftest import quiet

with quiet():
    from proctor_runtime.engine.megatron.scoring import likeliest, score_tokens

NAN = float("nan")
NEVER = float("-inf")
COUNTS = (1, 2, 3, 5, 20, 63, 64)


def logits_with_equals(values: int) -> torch.Tensor:
    drawn = torch.randint(values, (32, 64), generator=torch.Generator().manual_seed(values))
    return drawn.float() - values / 2


def by_value_then_id(row: list[float], count: int) -> list[int]:
    return sorted(range(len(row)), key=lambda token: (-row[token], token))[:count]


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("values", [1, 3, 40])
def test_of_equals_the_lowest_id_comes_first(values: int, count: int) -> None:
    logits = logits_with_equals(values)
    expected = [by_value_then_id(row, count) for row in logits.tolist()]
    assert likeliest(logits, count).tolist() == expected


def test_more_alternatives_begin_with_the_fewer() -> None:
    """So a request is told the same, whatever its neighbours in the step ask for."""
    logits = (torch.randn(64, 4000, generator=torch.Generator().manual_seed(0)) * 4).bfloat16()
    greedy = likeliest(logits.float(), 1)[:, 0]
    most = score_tokens(logits.float(), greedy, 20)
    for count in COUNTS[:4]:
        assert score_tokens(logits.float(), greedy, count) == most.with_top(count)
    assert [tokens[0] for tokens in most.top_tokens] == greedy.tolist()


@pytest.mark.parametrize("row", [[NAN] * 5, [1.0, NAN, 1.0, NAN, 2.0], [NEVER] * 5], ids=str)
def test_what_is_no_number_leaves_its_neighbours_alone(row: list[float]) -> None:
    logits = torch.tensor([row, [1.0, 2.0, 2.0, 2.0, 3.0]])
    best = likeliest(logits, 2)
    assert best[1].tolist() == [4, 1]
    assert len(set(best[0].tolist())) == 2
