"""Backpressure: a writer that waits while the other side is slow."""

import asyncio


class WriteGate:
    """Open, until the transport's buffer is full."""

    def __init__(self) -> None:
        self._waiter: asyncio.Future[None] | None = None
        self._closed = False

    def shut(self) -> None:
        """The buffer is full."""
        if self._waiter is None and not self._closed:
            self._waiter = asyncio.get_running_loop().create_future()

    def open(self) -> None:
        """The buffer has room."""
        waiter, self._waiter = self._waiter, None
        if waiter and not waiter.done():
            waiter.set_result(None)

    def close(self) -> None:
        """Nobody reads any more; whoever waits is let through to find out."""
        self._closed = True
        self.open()

    async def passed(self) -> None:
        """Return once there is room."""
        if self._waiter is not None:
            await self._waiter
