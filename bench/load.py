"""Requests, and so many of them at a time."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

Body = dict[str, Any]

CONCURRENT = 32
PROMPT = 64
NEW = 64


def generation(count: int, vocabulary: int) -> list[Body]:
    """Return requests to continue random prompts greedily."""
    return [
        {
            "model": "bench",
            "prompt": prompt,
            "max_tokens": NEW,
            "temperature": 0,
            "ignore_eos": True,
        }
        for prompt in prompts(count, vocabulary)
    ]


def scoring(count: int, vocabulary: int) -> list[Body]:
    """Return requests for log-likelihoods, as lm-eval sends them."""
    return [
        {
            "model": "bench",
            "prompt": prompt,
            "max_tokens": 1,
            "temperature": 0,
            "echo": True,
            "logprobs": 1,
        }
        for prompt in prompts(count, vocabulary)
    ]


def prompts(count: int, vocabulary: int) -> Iterator[list[int]]:
    """Yield prompts that have nothing in common, new ones at each call."""
    draw = random.Random(time.monotonic_ns())  # noqa: S311 - no secret
    for _ in range(count):
        yield [draw.randrange(2, vocabulary) for _ in range(PROMPT)]


async def seconds_of(bodies: list[Body], ask: Callable[[Body], Awaitable[Any]]) -> float:
    """Ask all, `CONCURRENT` at a time; return how long it took."""
    waiting = iter(bodies)

    async def one_after_the_other() -> None:
        for body in waiting:
            await ask(body)

    begin = time.perf_counter()
    await asyncio.gather(*[one_after_the_other() for _ in range(CONCURRENT)])
    return time.perf_counter() - begin
