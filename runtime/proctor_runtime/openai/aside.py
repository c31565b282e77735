"""Work on long texts, which nobody else's stream must wait for."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Made = TypeVar("Made")

LONG_TEXT = 20_000
"""Characters; to tokenize so many takes as long as a step of the engine."""


async def aside(
    length: int,
    make: Callable[Arguments, Made],
    *arguments: Arguments.args,
    **named: Arguments.kwargs,
) -> Made:
    """Call `make`; for a text of that length in a thread, if it is a long one."""
    if length > LONG_TEXT:
        return await asyncio.to_thread(make, *arguments, **named)
    return make(*arguments, **named)
