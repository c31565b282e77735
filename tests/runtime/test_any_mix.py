"""Whatever comes and goes in whatever order, the real engine gives everybody what they get alone.

Log-probabilities to 1e-5: in other company the same sums are added up in another order.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor_runtime.engine.protocol import GenerateRequest, ScoredToken, TokenEvent
from proctor_runtime.engine.scheduling.scheduler import Scheduler
from tests.runtime.batches import SAMPLINGS, generation, run
from tests.runtime.conftest import VOCABULARY, quiet

# Megatron-Core warns of its own internal calls.
pytestmark = pytest.mark.filterwarnings("ignore:.*tp_group is None:DeprecationWarning")

PATIENCE = 500
"""Steps after which nothing that is drawn here can still be under way."""


@pytest.fixture(scope="module")
def engine(checkpoint: Path) -> Iterator[Any]:
    with quiet():
        from proctor_runtime.engine.megatron.engine import MegatronEngine
        from proctor_runtime.engine.megatron.source import ModelSource

        engine = MegatronEngine(ModelSource(checkpoint=checkpoint))
        yield engine
        engine.close()


@pytest.fixture(scope="module")
def alone(engine: Any) -> Any:
    """What a request gets that has the engine, new and empty, for itself."""

    @cache
    def of(request: GenerateRequest) -> tuple[list[ScoredToken], list[ScoredToken]]:
        (found,) = run(engine, [request], prefix_caching=False, chunked_prefill=False)
        return list(found.prompt), list(found.tokens)

    return of


@dataclass(frozen=True)
class Visit:
    request: GenerateRequest
    arrival: int
    stays: int
    """Steps until it is cancelled."""


beginnings = st.sampled_from([(), tuple(range(40, 60)), tuple(range(40, 75))])
requests = st.builds(
    lambda beginning, own, new, sampling, scored, stops: generation(
        (*beginning, *own), new=new, sampling=sampling, prompt_logprobs=scored, **stops
    ),
    beginnings,
    st.lists(st.integers(0, VOCABULARY - 1), min_size=1, max_size=12),
    st.sampled_from([0, 1, 1, 4, 9]),
    st.sampled_from(SAMPLINGS),
    st.booleans(),
    # As of a tokenizer that knows more tokens than the model.
    st.sampled_from([{}, {}, {"stop_ids": (VOCABULARY, 10**6), "min_new_tokens": 1}]),
)
visits = st.lists(
    st.builds(Visit, requests, st.integers(0, 8), st.sampled_from([1, 3, 6, 999, 999, 999])),
    min_size=1,
    max_size=10,
)
limits = st.fixed_dictionaries(
    {
        "blocks": st.sampled_from([7, 12, 40]),
        "step_tokens": st.sampled_from([7, 64]),
        "sequences": st.sampled_from([2, 32]),
        "prefix_caching": st.booleans(),
        "chunked_prefill": st.booleans(),
    }
)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(visits, limits)
def test_any_mix_gives_everybody_what_they_get_alone(
    engine: Any, alone: Any, visits: list[Visit], limits: dict[str, Any]
) -> None:
    scheduler = Scheduler(replace(engine.capacity, **limits))
    present = attend_to(engine, scheduler, visits)
    assert scheduler.cache.usage == 0
    for visit, events in present:
        prompt, made = alone(visit.request)
        found = [event.token for event in events if event.token]
        finished = bool(events) and events[-1].finish is not None
        assert finished or visit.stays < PATIENCE
        assert_close(found, made if finished else made[: len(found)])
        if events:
            assert_close(events[0].prompt, prompt)


def attend_to(
    engine: Any, scheduler: Scheduler, visits: Sequence[Visit]
) -> list[tuple[Visit, list[TokenEvent]]]:
    """Let everybody come, and go, at their step; return what each was told."""
    present: dict[int, tuple[Visit, list[TokenEvent]]] = {}
    for now in range(PATIENCE):
        for visit in visits:
            if visit.arrival == now:
                present[scheduler.add(visit.request)] = visit, []
        scheduler.remove([n for n, (v, _) in present.items() if now == v.arrival + v.stays])
        if not scheduler.is_idle:
            step = scheduler.schedule()
            for number, event in scheduler.advance(step, engine.execute(step)):
                present[number][1].append(event)
        elif now > max(visit.arrival for visit in visits):
            return list(present.values())
    raise AssertionError("somebody waits for ever")


def assert_close(found: Sequence[ScoredToken], expected: Sequence[ScoredToken]) -> None:
    assert [one.token for one in found] == [one.token for one in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.logprob == pytest.approx(other.logprob, abs=1e-5)
        likely = [logprob for _, logprob in other.top]
        assert [logprob for _, logprob in one.top] == pytest.approx(likely, abs=1e-5)
