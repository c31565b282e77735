"""Any mix of requests, arrivals, cancellations and sizes: everybody gets what they get alone."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor_runtime.engine.protocol import (
    GenerateRequest,
    RequestTooLargeError,
    Sampling,
    ScoredToken,
)
from proctor_runtime.engine.scheduling.scheduler import Capacity, Scheduler
from proctor_runtime.engine.scheduling.step import Step
from tests.unit.runtime.contexts import ContextEngine, alone

PATIENCE = 3000
"""Steps after which nothing that is drawn here can still be under way."""


@dataclass
class Outcome:
    prompt: list[ScoredToken] = field(default_factory=list)
    made: list[ScoredToken] = field(default_factory=list)
    finish: str | None = None


class Driver:
    """A scheduler, an engine, and what has come of everybody."""

    def __init__(self, capacity: Capacity) -> None:
        self.scheduler = Scheduler(capacity)
        self.engine = ContextEngine(capacity=capacity)
        self.outcomes: dict[int, Outcome] = {}
        self.steps: list[Step] = []

    def add(self, request: GenerateRequest) -> int:
        number = self.scheduler.add(request)
        self.outcomes[number] = Outcome()
        return number

    def cancel(self, number: int) -> None:
        self.scheduler.remove([number])

    def step(self) -> None:
        step = self.scheduler.schedule()
        assert step.rows, "a step without rows would be repeated for ever"
        self.steps.append(step)
        for number, event in self.scheduler.advance(step, self.engine.execute(step)):
            outcome = self.outcomes[number]
            assert outcome.finish is None
            outcome.prompt += event.prompt
            outcome.made += [event.token] if event.token else []
            outcome.finish = event.finish

    def finish(self) -> None:
        for _ in range(PATIENCE):
            if self.scheduler.is_idle:
                return
            self.step()
        raise AssertionError("somebody waits for ever")


def capacity(**changes: Any) -> Capacity:
    sizes = {"blocks": 64, "block_tokens": 4, "sequences": 8, "step_tokens": 64}
    return Capacity(**{**sizes, **changes})


capacities = st.builds(
    Capacity,
    blocks=st.integers(6, 24),
    block_tokens=st.integers(1, 5),
    sequences=st.integers(1, 5),
    step_tokens=st.integers(1, 24),
    prefix_caching=st.booleans(),
    chunked_prefill=st.booleans(),
)

# Few tokens and few beginnings, so that prompts share.
prompts = st.builds(
    lambda shared, length, own: (*shared[:length], *own),
    st.sampled_from([(1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1, 2), (1, 2, 3, 3, 3, 3, 3), (0, 0, 0, 0)]),
    st.integers(0, 12),
    st.lists(st.integers(0, 4), min_size=1, max_size=6),
)

requests = st.builds(
    GenerateRequest,
    prompt=prompts,
    max_new_tokens=st.sampled_from([0, 1, 1, 2, 7, 15]),
    sampling=st.sampled_from([Sampling(), Sampling(), Sampling(temperature=1.0, seed=3)]),
    stop_ids=st.sampled_from([(), (4,)]),
    top_logprobs=st.integers(0, 2),
    prompt_logprobs=st.booleans(),
)


@dataclass(frozen=True)
class Visit:
    request: GenerateRequest
    arrival: int
    stays: int
    """Steps until it is cancelled."""


visits = st.lists(
    st.builds(Visit, requests, st.integers(0, 12), st.sampled_from([1, 3, 6, 999, 999, 999])),
    min_size=1,
    max_size=12,
)


@settings(max_examples=300, deadline=None)
@given(capacities, visits)
def test_everybody_gets_what_they_get_alone_and_no_block_is_lost(
    limits: Capacity, visits: list[Visit]
) -> None:
    driver = Driver(limits)
    present: dict[int, Visit] = {}
    for now in range(40):
        for visit in visits:
            if visit.arrival == now:
                try:
                    present[driver.add(visit.request)] = visit
                except RequestTooLargeError:
                    needed = len(visit.request.prompt) + max(visit.request.max_new_tokens - 1, 0)
                    assert needed > (limits.blocks - 1) * limits.block_tokens
        for number, visit in present.items():
            if now == visit.arrival + visit.stays:
                driver.cancel(number)
        if not driver.scheduler.is_idle:
            driver.step()
    driver.finish()
    assert driver.scheduler.cache.usage == 0
    for number, visit in present.items():
        outcome, (prompt, made) = driver.outcomes[number], alone(visit.request)
        if outcome.finish is None:
            assert visit.stays < PATIENCE
            assert outcome.made == made[: len(outcome.made)]
            continue
        assert outcome.made == made
        assert outcome.prompt == prompt
    assert not driver.engine._drawing or driver.scheduler.schedule().left
    check_sizes(driver.steps, limits)


def check_sizes(steps: list[Step], limits: Capacity) -> None:
    for step in steps:
        assert len(step.rows) <= limits.sequences
        assert all(n == 1 for n in Counter(row.sequence for row in step.rows).values())
        tokens = sum(len(row.tokens) for row in step.rows)
        decoding = sum(len(row.tokens) == 1 for row in step.rows)
        if limits.chunked_prefill:
            assert tokens <= max(limits.step_tokens, decoding)


def test_new_requests_join_at_the_next_step_and_leave_when_done() -> None:
    driver = Driver(capacity())
    long = driver.add(GenerateRequest(prompt=(1, 2, 3), max_new_tokens=6))
    driver.step()
    short = driver.add(GenerateRequest(prompt=(2, 2), max_new_tokens=2))
    driver.step()
    assert [row.sequence for row in driver.steps[-1].rows] == [long, short]
    driver.step()
    assert driver.outcomes[short].finish == "length"
    driver.step()
    assert [row.sequence for row in driver.steps[-1].rows] == [long]


CHOICES = [
    GenerateRequest(
        prompt=(*range(100, 150), choice), max_new_tokens=1, prompt_logprobs=True, top_logprobs=1
    )
    for choice in (1, 2, 3, 4)
]


@pytest.mark.parametrize("together", [True, False], ids=["at once", "one after the other"])
def test_choices_after_one_question_compute_the_question_once(together: bool) -> None:
    driver = Driver(capacity())
    numbers = []
    for request in CHOICES:
        numbers.append(driver.add(request))
        if not together:
            driver.finish()
    driver.finish()
    computed = Counter(dict.fromkeys(numbers, 0))
    for step in driver.steps:
        computed.update({row.sequence: len(row.tokens) for row in step.rows})
    # The first needs all of it; the others the choice, and the token whose logits score it.
    assert [computed[number] for number in numbers] == [51, 2, 2, 2]
    for number, request in zip(numbers, CHOICES, strict=True):
        assert (driver.outcomes[number].prompt, driver.outcomes[number].made) == alone(request)
    assert driver.scheduler.stats.prefix_cache_hits == 3 * 49


def test_scores_are_not_taken_from_who_had_fewer_alternatives() -> None:
    driver = Driver(capacity())
    poor = GenerateRequest(prompt=(1,) * 20, max_new_tokens=1, prompt_logprobs=True)
    rich = GenerateRequest(prompt=(1,) * 20, max_new_tokens=1, prompt_logprobs=True, top_logprobs=2)
    for request in (poor, rich, poor):
        number = driver.add(request)
        driver.finish()
        assert driver.outcomes[number].prompt == alone(request)[0]


def test_a_long_prompt_does_not_hold_up_those_who_generate() -> None:
    driver = Driver(capacity(step_tokens=8))
    talker = driver.add(GenerateRequest(prompt=(1, 2), max_new_tokens=20))
    driver.step()
    driver.add(GenerateRequest(prompt=(3,) * 50, max_new_tokens=1))
    for _ in range(8):
        driver.step()
    assert len(driver.outcomes[talker].made) == 9


def test_unsplit_prompts_wait_for_a_step_of_their_own() -> None:
    driver = Driver(capacity(step_tokens=8, chunked_prefill=False))
    driver.add(GenerateRequest(prompt=(1,) * 6, max_new_tokens=1))
    driver.add(GenerateRequest(prompt=(2,) * 20, max_new_tokens=1))
    driver.finish()
    assert [[len(row.tokens) for row in step.rows] for step in driver.steps] == [[6], [20]]


def test_the_youngest_gives_way_when_blocks_run_out() -> None:
    driver = Driver(capacity(blocks=6))
    first, second = (
        driver.add(GenerateRequest(prompt=(n,) * 7, max_new_tokens=14)) for n in (1, 2)
    )
    driver.finish()
    assert driver.scheduler.stats.preemptions > 0
    assert len(driver.outcomes[first].made) == len(driver.outcomes[second].made) == 14


def test_a_request_larger_than_the_cache_is_refused_with_both_numbers() -> None:
    driver = Driver(capacity())
    with pytest.raises(RequestTooLargeError, match=r"needs 300 tokens.*has 256"):
        driver.add(GenerateRequest(prompt=(1,) * 201, max_new_tokens=100))


def test_a_failed_step_loses_who_took_part_and_what_was_cached() -> None:
    driver = Driver(capacity(sequences=1))
    lost = driver.add(CHOICES[0])
    waiting = driver.add(CHOICES[1])
    driver.scheduler.schedule()
    assert driver.scheduler.fail() == [lost]
    driver.finish()
    assert driver.outcomes[lost].finish is None
    assert driver.outcomes[waiting].prompt == alone(CHOICES[1])[0]
    assert driver.scheduler.cache.usage == 0


def test_sequences_that_share_a_beginning_keep_it_apart_for_attention() -> None:
    driver = Driver(capacity())
    for request in CHOICES:
        driver.add(request)
    driver.step()
    first, *others = [row.segments for row in driver.steps[-1].rows]
    assert first == ((0, 51),)
    assert all(segments[0] == (0, 48) and len(segments) == 2 for segments in others)
