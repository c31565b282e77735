"""An event loop whose clock jumps to whatever is due next: hours pass in no time.

For code that waits for time alone; a wait for a socket or a thread would never end.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class JumpingLoop(asyncio.SelectorEventLoop):
    """`time()` stands still while anything is ready, and never waits for what is not."""

    def __init__(self) -> None:
        self._time = 0.0
        super().__init__()

    def time(self) -> float:
        """Seconds since the loop was made, as far as anybody waited for them."""
        return self._time

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:  # type: ignore[attr-defined]
            self._time = max(self._time, self._scheduled[0].when())  # type: ignore[attr-defined]
        super()._run_once()  # type: ignore[misc]


def run(main: Coroutine[Any, Any, T]) -> T:
    """What `main` returns."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(main)
