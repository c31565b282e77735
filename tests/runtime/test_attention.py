"""Every way to attend, against the definition, on steps of every kind."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor_runtime.engine.fake import CAPACITY
from proctor_runtime.engine.protocol import GenerateRequest, ScoredToken
from proctor_runtime.engine.scheduling.scheduler import Scheduler
from proctor_runtime.engine.scheduling.step import Row, RowResult, Scores, Step
from tests.runtime.conftest import quiet

GROUPS, QUERIES, CHANNELS = 2, 3, 8
SLOTS = CAPACITY.blocks * CAPACITY.block_tokens
SCALE = 0.3

with quiet():
    from proctor_runtime.engine.megatron import gathered as gathered_module
    from proctor_runtime.engine.megatron.gathered import GatheredAttention, batches
    from proctor_runtime.engine.megatron.kv_store import slots_of, write
    from proctor_runtime.engine.megatron.packing import Packed, pack
    from proctor_runtime.engine.megatron.parts import Grid
    from proctor_runtime.engine.megatron.portion import Portion, Ways, portion_of
    from proctor_runtime.engine.megatron.segments import SegmentAttention


def segments(portion: Portion) -> SegmentAttention:
    return SegmentAttention.of(portion, SCALE, SLOTS)


def exact(portion: Portion) -> SegmentAttention:
    return segments(portion).exact() or segments(portion)


def gathered(portion: Portion) -> GatheredAttention:
    return GatheredAttention(portion, SCALE)


WAYS = [segments, exact, gathered]


def by_portions(way: Any, packed: Packed, mixed: torch.Tensor, layer: torch.Tensor) -> torch.Tensor:
    """Attention as three context parallel ranks share it."""
    found = []
    for index in range(3):
        portion = portion_of(packed, Ways(3, index, 2))
        assert portion.places is not None
        mine = portion.places // len(portion.ids) == index
        own = mixed[mine][portion.places[mine].argsort()]
        out = torch.zeros(len(portion.ids), GROUPS * QUERIES * CHANNELS)
        attention = way(portion)
        if portion.size:
            out[: portion.size] = attention(own, layer)
        found.append(out)
    return portion.in_order(torch.cat(found))


def by_definition(mixed: torch.Tensor, layer: torch.Tensor, packed: Packed) -> torch.Tensor:
    """One token, one group and one query at a time."""
    out = torch.empty(len(mixed), GROUPS, QUERIES, CHANNELS)
    for start, row in zip(packed.starts, packed.rows, strict=True):
        slots = slots_of(row.segments)
        for n in range(len(row.tokens)):
            seen = slots[: row.position + n + 1]
            for group in range(GROUPS):
                keys, values = layer[0, group, seen], layer[1, group, seen]
                for query in range(QUERIES):
                    weights = (keys @ mixed[start + n, group, query] * SCALE).softmax(0)
                    out[start + n, group, query] = weights @ values
    return out.flatten(1)


def steps_of(requests: Sequence[GenerateRequest], step_tokens: int) -> list[Step]:
    """Let the real scheduler make steps: shared beginnings, copies, chunks and lanes."""
    scheduler = Scheduler(replace(CAPACITY, step_tokens=step_tokens))
    for request in requests:
        scheduler.add(request)
    steps = []
    while not scheduler.is_idle:
        step = scheduler.schedule()
        steps.append(step)
        scheduler.advance(step, [invented(row) for row in step.rows])
    return steps


def invented(row: Row) -> RowResult:
    scores = Scores([0.0] * len(row.targets), [[]] * len(row.targets), [[]] * len(row.targets))
    return RowResult(scores, ScoredToken(1, 0.0) if row.samples else None)


requests = st.builds(
    lambda beginning, length, new, scored: GenerateRequest(
        prompt=(*range(beginning), *range(100, 100 + length)),
        max_new_tokens=1 if scored else new,
        prompt_logprobs=scored,
    ),
    st.sampled_from([0, 10, 40]),
    st.integers(1, 40),
    st.integers(1, 4),
    st.booleans(),
)


def check(requests: list[GenerateRequest], step_tokens: int) -> set[type]:
    """Run all steps in every way from the same store; return what parts there were."""
    torch.manual_seed(0)
    layer = torch.full((2, GROUPS, SLOTS, CHANNELS), 1e3)  # stale, and far from any true value
    kinds: set[type] = set()
    for step in steps_of(requests, step_tokens):
        packed = pack(step, torch.device("cpu"))
        mixed = torch.randn(len(packed.ids), GROUPS, QUERIES + 2, CHANNELS)
        write(mixed[:, :, -2:], layer, packed.slots, packed.copies)
        before = layer.clone()
        portion = portion_of(packed, Ways())
        found = [way(portion)(mixed, layer) for way in WAYS]
        found += [by_portions(way, packed, mixed, layer) for way in WAYS[1:]]
        assert torch.equal(layer, before)
        truth = by_definition(mixed, layer, packed)
        for out in found:
            torch.testing.assert_close(out, truth, atol=1e-5, rtol=0)
        levels = segments(portion).levels
        kinds |= {type(part.sees) for level in levels for part in level.parts}
    return kinds


@pytest.fixture(scope="module", autouse=True)
def parted() -> Iterator[None]:
    """Let batches be parted at the lengths of these tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gathered_module, "FEW_SLOTS", 8)
        patch.setattr(gathered_module, "MOST_SLOTS", 64)
        yield


@pytest.mark.parametrize(
    ("lengths", "most", "parts"),
    [
        ([16] * 31 + [16_000], 1 << 17, [31, 1]),
        ([16_000, *range(8, 17)], 1 << 17, [9, 1]),
        ([40, 41, 100, 79], 1 << 17, [3, 1]),
        ([60] * 5, 128, [2, 2, 1]),
        ([500], 128, [1]),
        ([], 128, []),
    ],
    ids=["one long", "in any order", "doubled", "too many at once", "too long", "none"],
)
def test_what_is_gathered_is_about_what_is_seen(
    lengths: list[int], most: int, parts: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathered_module, "MOST_SLOTS", most)
    rows = [(n, Row(n, (1,), length - 1, ((0, length),))) for n, length in enumerate(lengths)]
    found = list(batches(rows))
    assert [len(batch) for batch in found] == parts
    assert sorted(start for batch in found for start, _ in batch) == list(range(len(lengths)))


@settings(max_examples=40, deadline=None)
@given(st.lists(requests, min_size=1, max_size=8), st.sampled_from([16, 512]))
def test_every_way_to_attend_is_attention(asked: list[GenerateRequest], step_tokens: int) -> None:
    check(asked, step_tokens)


@pytest.mark.parametrize("shared", [0, 40], ids=["apart", "sharing"])
def test_sequences_that_generate_are_taken_together(shared: int) -> None:
    asked = [
        GenerateRequest(prompt=(*range(shared), *range(90 + n, 110)), max_new_tokens=4)
        for n in range(8)
    ]
    assert Grid in check(asked, 512)


def test_what_is_not_a_number_stays_where_it_is(checkpoint: Any) -> None:
    """A neighbour's slots hold what it left there; a grid must not let that through."""
    with quiet():
        from proctor_runtime.engine.megatron.engine import MegatronEngine
        from proctor_runtime.engine.megatron.source import ModelSource
        from tests.runtime.batches import generation, ids, run

        engine = MegatronEngine(ModelSource(checkpoint=checkpoint))
    asked = [generation((n + 1,) * (n + 2)) for n in range(6)]
    try:
        before = [ids(one) for one in run(engine, asked)]
        engine._executor.store.tensor.fill_(float("nan"))
        assert [ids(one) for one in run(engine, asked)] == before
    finally:
        engine.close()
