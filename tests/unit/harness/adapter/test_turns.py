import random

from hypothesis import given
from hypothesis import strategies as st

from proctor_harness.adapter.turns import Slot, Turns


def test_each_asking_gets_the_next_turn() -> None:
    turns = Turns()
    assert [turns.take(b"a"), turns.take(b"a"), turns.take(b"b")] == [
        Slot(b"a", 0),
        Slot(b"a", 1),
        Slot(b"b", 0),
    ]


def test_a_retry_is_the_same_item() -> None:
    turns = Turns()
    first, second = turns.take(b"a"), turns.take(b"a")
    turns.give_back(first)
    assert turns.take(b"a") == first
    assert turns.take(b"a") == Slot(b"a", second.turn + 1)


def test_what_was_given_before_is_used_up() -> None:
    turns = Turns()
    for turn in (2, 0):
        turns.use_up(Slot(b"a", turn))
    assert [turns.take(b"a").turn for _ in range(3)] == [1, 3, 4]


@given(st.integers(min_value=0, max_value=2**32), st.integers(min_value=1, max_value=60))
def test_every_turn_is_used_once_whatever_fails(seed: int, samples: int) -> None:
    draw, turns = random.Random(seed), Turns()
    kept: list[int] = []
    flying: list[Slot] = []
    while len(kept) < samples:
        if flying and draw.random() < 0.6:
            slot = flying.pop(draw.randrange(len(flying)))
            if draw.random() < 0.4:
                turns.give_back(slot)
            else:
                kept.append(slot.turn)
        else:
            flying.append(turns.take(b"a"))
    for slot in flying:
        turns.give_back(slot)
    left = [turns.take(b"a").turn for _ in range(len(flying))]
    assert len(set(kept)) == len(kept)
    assert not set(kept) & set(left)
