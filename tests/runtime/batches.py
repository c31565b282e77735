"""Ragged batches, how to run them, and when two answers are the same."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from proctor_runtime.engine.protocol import (
    Completion,
    GenerateRequest,
    Sampling,
    ScoredTokens,
    TokenEvent,
)
from proctor_runtime.engine.scheduling.scheduler import Scheduler

PROMPTS = [tuple(range(5, 5 + length)) for length in (1, 3, 9, 17, 30)]

SAMPLINGS = [
    Sampling(temperature=1.0, seed=1),
    Sampling(temperature=0.7, top_k=5, seed=2),
    Sampling(temperature=1.5, top_p=0.8, seed=3),
    Sampling(),
    Sampling(temperature=1.0, top_k=40, top_p=0.9, seed=5),
]


def run(engine: Any, requests: Sequence[GenerateRequest], **changes: Any) -> list[Completion]:
    """Run the requests together; `changes` are to the engine's capacity."""
    scheduler = Scheduler(replace(engine.capacity, **changes))
    numbers = [scheduler.add(request) for request in requests]
    events: dict[int, list[TokenEvent]] = {number: [] for number in numbers}
    while not scheduler.is_idle:
        step = scheduler.schedule()
        for number, event in scheduler.advance(step, engine.execute(step)):
            events[number].append(event)
    assert scheduler.cache.usage == 0
    return [collect(events[number]) for number in numbers]


def collect(events: Sequence[TokenEvent]) -> Completion:
    """Put one request's events together, and see that none comes after the end."""
    assert [event.finish for event in events[:-1]] == [None] * (len(events) - 1)
    finish = events[-1].finish
    assert finish
    return Completion(
        tokens=ScoredTokens.of([event.token for event in events if event.token]),
        prompt=events[0].prompt,
        finish=finish,
        stop=events[-1].stop,
    )


def generation(prompt: tuple[int, ...], new: int = 8, **fields: Any) -> GenerateRequest:
    return GenerateRequest(prompt=prompt, max_new_tokens=new, top_logprobs=3, **fields)


def scoring(prompt: tuple[int, ...]) -> GenerateRequest:
    return generation(prompt, new=1, prompt_logprobs=True)


def ids(completion: Completion) -> list[int]:
    return [scored.token for scored in completion.tokens]


def assert_close(one: Completion, other: Completion) -> None:
    assert ids(one) == ids(other)
    for a, b in zip([*one.prompt, *one.tokens], [*other.prompt, *other.tokens], strict=True):
        assert a.token == b.token
        assert a.logprob == pytest.approx(b.logprob, abs=1e-5)
