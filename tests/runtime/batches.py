"""Ragged batches, how to run them, and when two answers are the same."""

from collections.abc import Sequence
from typing import Any

import pytest

from proctor_runtime.engine.protocol import (
    Completion,
    Decoding,
    GenerateRequest,
    Sampling,
    ScoredToken,
    ScoredTokens,
)

PROMPTS = [tuple(range(5, 5 + length)) for length in (1, 3, 9, 17, 30)]

SAMPLINGS = [
    Sampling(temperature=1.0, seed=1),
    Sampling(temperature=0.7, top_k=5, seed=2),
    Sampling(temperature=1.5, top_p=0.8, seed=3),
    Sampling(),
    Sampling(temperature=1.0, top_k=40, top_p=0.9, seed=5),
]


def run(engine: Any, requests: Sequence[GenerateRequest]) -> list[Completion]:
    """Run the requests as one batch."""
    return collect(engine.start(requests), len(requests))


def collect(decoding: Decoding, count: int) -> list[Completion]:
    """Put a batch's events together, and see that none comes after the end."""
    tokens: list[list[ScoredToken]] = [[] for _ in range(count)]
    prompts = [ScoredTokens() for _ in range(count)]
    finishes: dict[int, Any] = {}
    for events in decoding:
        for index, event in events:
            assert index not in finishes
            tokens[index] += [event.token] if event.token else []
            prompts[index] = prompts[index] or event.prompt
            if event.finish:
                finishes[index] = event.finish
    return [
        Completion(tokens=ScoredTokens.of(tokens[i]), prompt=prompts[i], finish=finishes[i])
        for i in range(count)
    ]


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
