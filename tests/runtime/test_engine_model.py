"""Triton's model of token ids without Triton: messages in, answers out."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from proctor_runtime.engine.batcher import Batcher
from proctor_runtime.engine.fake import CAPACITY, FakeEngine
from proctor_runtime.engine.protocol import (
    Completion,
    EngineDeadError,
    GenerateRequest,
    QueueFullError,
    RequestTooLargeError,
    Sampling,
    ScoredTokens,
    TokenEvent,
)
from proctor_runtime.transports import codec
from proctor_runtime.transports.codec import (
    Answer,
    Ask,
    Cancel,
    Cancelled,
    Completed,
    Failed,
    Happened,
    error_of,
    failure,
)
from proctor_runtime.transports.triton.engine_model import EngineModel
from tests.runtime.letters import batcher_of
from tests.runtime.live import wait_until

ABC = GenerateRequest(prompt=(97, 98), max_new_tokens=3, top_logprobs=2)
FOREVER = GenerateRequest(prompt=(97,), max_new_tokens=400)


@pytest.fixture
def slow() -> Iterator[Batcher]:
    alone = replace(CAPACITY, sequences=1)
    engine = FakeEngine(max_sequence_length=512, step_seconds=0.005, capacity=alone)
    batcher = batcher_of(engine, waiting=4)
    yield batcher
    batcher.close()


async def ask(model: EngineModel, *messages: codec.Message) -> dict[str, list[Answer]]:
    answers: dict[str, list[Answer]] = {}
    async for some in model.answers(codec.encode(messages)):
        for name, answer in codec.decode_answers(codec.encode(some)):
            answers.setdefault(name, []).append(answer)
    return answers


async def test_messages_travel_together(batcher: Batcher) -> None:
    sampled = replace(ABC, sampling=Sampling(temperature=1.0, seed=3), prompt_logprobs=True)
    answers = await ask(EngineModel(batcher), Ask("1", [ABC, sampled]), Ask("2", [ABC]))
    (one,), (two,) = answers["1"], answers["2"]
    assert isinstance(one, Completed)
    assert isinstance(two, Completed)
    assert one.completions[0] == two.completions[0] == batcher.submit(ABC).result(5)
    assert one.completions[1] == batcher.submit(sampled).result(5)


async def test_a_stream_tells_all_that_happens(batcher: Batcher) -> None:
    answers = (await ask(EngineModel(batcher), Ask("1", [ABC, FOREVER], stream=True)))["1"]
    events = [
        event for answer in answers if isinstance(answer, Happened) for event in answer.events
    ]
    for index, length in ((0, 3), (1, 400)):
        mine = [event for at, event in events if at == index]
        assert len(mine) == length
        assert [event.finish for event in mine] == [None] * (length - 1) + ["length"]


@pytest.mark.parametrize("stream", [True, False], ids=["streams", "at once"])
async def test_cancelling(slow: Batcher, stream: bool) -> None:
    model = EngineModel(slow)
    asked = Ask("1", [FOREVER] * 3, stream=stream), Ask("2", [FOREVER], stream=stream)
    asking = asyncio.create_task(ask(model, *asked))
    await asyncio.to_thread(wait_until, lambda: slow.stats().running == 1)
    assert await ask(model, Cancel("1"), Cancel("never heard of")) == {}
    assert await ask(model, Cancel("2")) == {}
    answers = await asyncio.wait_for(asking, 5)
    assert {name: told[-1] for name, told in answers.items()} == dict.fromkeys("12", Cancelled())
    await asyncio.to_thread(wait_until, lambda: slow.stats().running == 0, 5)


async def test_one_messages_failure_is_its_own(slow: Batcher) -> None:
    too_long = GenerateRequest(prompt=(97,), max_new_tokens=10**6)
    answers = await ask(
        EngineModel(slow), Ask("fine", [ABC]), Ask("long", [too_long]), Ask("full", [ABC] * 9)
    )
    assert isinstance(answers["fine"][0], Completed)
    assert answers["full"] == [Failed("QueueFullError", str(QueueFullError(4, 4)), (4, 4))]
    (long,) = answers["long"]
    assert isinstance(long, Failed)
    assert long.kind == "RequestTooLargeError"


async def test_what_is_no_message(batcher: Batcher) -> None:
    async for ((name, answer),) in EngineModel(batcher).answers(b"hello"):
        assert name == ""
        assert isinstance(answer, Failed)


async def test_a_closed_answer_ends_its_requests(slow: Batcher) -> None:
    answers = EngineModel(slow).answers(codec.encode([Ask("1", [FOREVER] * 4, stream=True)]))
    await anext(answers)
    await answers.aclose()  # type: ignore[attr-defined]
    await asyncio.to_thread(wait_until, lambda: slow.stats().running == 0, 5)


@pytest.mark.parametrize(
    "error",
    [QueueFullError(3, 2), RequestTooLargeError("so large"), EngineDeadError("gone")],
    ids=lambda error: type(error).__name__,
)
def test_errors_come_back_as_they_went(error: Exception) -> None:
    (back,) = codec.decode_answers(codec.encode([("1", failure(error))]))
    assert isinstance(back[1], Failed)
    again = error_of(back[1])
    assert (type(again), str(again)) == (type(error), str(error))


def test_other_errors_keep_their_name() -> None:
    assert str(error_of(failure(KeyError("x")))) == "KeyError: 'x'"


def test_floats_keep_every_bit_and_arrays_become_lists() -> None:
    value: Any = -0.1 - 2**-40
    scored = ScoredTokens((1,), (value,), (np.array([1, 2]),), (np.array([value, -3.0]),))
    completion = Completion(tokens=scored, prompt=ScoredTokens(), finish="stop", stop="x")
    event = TokenEvent(token=scored[0], finish="stop", stop=5)
    answers = [("1", Completed([completion])), ("2", Happened([(0, event)]))]
    (_, one), (_, two) = codec.decode_answers(codec.encode(answers))
    assert isinstance(one, Completed)
    assert one.completions[0].tokens.logprobs == (value,)
    assert one.completions[0].tokens.top_tokens == ([1, 2],)
    assert isinstance(two, Happened)
    assert two.events[0][1] == event
