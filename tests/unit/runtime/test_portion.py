"""Tokens that are dealt to context parallel ranks: each to one, and all come back in order."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from proctor_runtime.engine.megatron.packing import pack
from proctor_runtime.engine.megatron.portion import Portion, Ways, portion_of
from proctor_runtime.engine.scheduling.step import Row, Step

CPU = torch.device("cpu")


def step(*lengths: int) -> Step:
    """Rows of so many tokens, each behind two others that were computed before."""
    rows = [
        Row(n, tuple(range(100 * n, 100 * n + length)), 2, ((1000 * n, 2), (1000 * n + 9, length)))
        for n, length in enumerate(lengths)
    ]
    return Step(rows=tuple(rows))


def portions(lengths: list[int], count: int, multiple: int = 1) -> list[Portion]:
    packed = pack(step(*lengths), CPU)
    return [portion_of(packed, Ways(count, index, multiple)) for index in range(count)]


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.integers(1, 4), st.integers(1, 3))
def test_every_token_is_computed_once_and_comes_back_in_order(
    lengths: list[int], count: int, multiple: int
) -> None:
    packed = pack(step(*lengths), CPU)
    dealt = portions(lengths, count, multiple)
    assert len({len(portion.ids) for portion in dealt}) == 1
    assert len(dealt[0].ids) % multiple == 0
    assert sum(portion.size for portion in dealt) == len(packed.ids)
    together = torch.cat([portion.ids for portion in dealt])
    assert all(torch.equal(portion.in_order(together), packed.ids) for portion in dealt)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.integers(2, 4))
def test_a_piece_of_a_row_sees_what_the_row_does(lengths: list[int], count: int) -> None:
    whole = {row.sequence: row for row in step(*lengths).rows}
    for portion in portions(lengths, count):
        tokens = [token for row in portion.rows for token in row.tokens]
        assert portion.ids[: portion.size].tolist() == tokens
        for row, start in zip(portion.rows, portion.starts, strict=True):
            before = row.position - whole[row.sequence].position
            end = before + len(row.tokens)
            assert row.tokens == whole[row.sequence].tokens[before:end]
            positions = portion.positions[start : start + len(row.tokens)].tolist()
            assert positions == list(range(row.position, row.position + len(row.tokens)))
            assert sum(length for _, length in row.segments) == row.position + len(row.tokens)
            assert not row.targets
            assert not row.samples


def test_a_long_prompt_gives_every_rank_as_much_to_attend_to() -> None:
    def seen(portion: Portion) -> int:
        return sum(row.position + n for row in portion.rows for n in range(len(row.tokens)))

    first, second = map(seen, portions([1000], 2))
    assert first == pytest.approx(second, rel=0.01)


def test_few_tokens_leave_some_ranks_without_any() -> None:
    sizes = [portion.size for portion in portions([1], 3)]
    assert sizes == [1, 0, 0]
