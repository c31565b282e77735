"""`python -m bench.adapter_load PORT CONCURRENCY SECONDS FIRST [CYCLE]`: closed-loop load.

Each connection asks, waits for the answer, and asks again. A question has 700 bytes, and each is
another: a counter that starts at FIRST stands in it. With CYCLE they are asked anew after so
many. It prints one JSON object: requests per second, milliseconds of
latency at the median and at the 99th percentile, and how busy the generator itself was.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from itertools import count, cycle
from typing import Any, cast

import uvloop

from bench.adapter_upstream import message_bytes

BODY_BYTES = 700
DIGITS = 12
WARM_UP_SECONDS = 1.0


def question(port: int) -> tuple[bytes, bytes]:
    """What stands before and after the counter."""
    asked: dict[str, Any] = {"model": "m", "max_tokens": 16, "temperature": 0.0, "messages": []}
    message = {"role": "user", "content": "0" * DIGITS}
    asked["messages"] = [{"role": "system", "content": "You are helpful."}, message]
    message["content"] += "x" * (BODY_BYTES - len(json.dumps(asked)))
    before, after = json.dumps(asked).encode().split(b"0" * DIGITS)
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n"
        "accept: application/json\r\ncontent-type: application/json\r\n"
        "authorization: Bearer none\r\nuser-agent: bench\r\n"
        f"content-length: {BODY_BYTES}\r\n\r\n"
    )
    return head.encode() + before, after


class Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, parts: tuple[bytes, bytes], numbers: Iterator[int]) -> None:
        self._before, self._after = parts
        self._numbers = numbers
        self.latencies: list[float] = []
        self.recording = False
        self.failures = 0
        self._pending = b""
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        self._transport = cast("asyncio.Transport", transport)
        self._ask()

    def connection_lost(self, _: Exception | None) -> None:
        """Note that this client is out."""
        self.lost = True

    def _ask(self) -> None:
        number = b"%0*d" % (DIGITS, next(self._numbers))
        self._asked = time.perf_counter()
        self._transport.write(self._before + number + self._after)

    def data_received(self, data: bytes) -> None:
        """Ask again once the answer is complete."""
        self._pending = self._pending + data if self._pending else data
        if message_bytes(self._pending) is None:
            return
        if self.recording:
            self.latencies.append(time.perf_counter() - self._asked)
            self.failures += not self._pending.startswith(b"HTTP/1.1 200")
        self._pending = b""
        self._ask()


async def load(
    port: int, concurrency: int, seconds: float, first: int, period: int | None = None
) -> dict[str, float]:
    """Ask for `seconds` after a warm-up."""
    loop, parts = asyncio.get_running_loop(), question(port)
    numbers = count(first) if period is None else cycle(range(first, first + period))
    clients = [
        (await loop.create_connection(lambda: Client(parts, numbers), "127.0.0.1", port))[1]
        for _ in range(concurrency)
    ]
    await asyncio.sleep(WARM_UP_SECONDS)
    for client in clients:
        client.recording = True
    begun, busy = time.perf_counter(), time.process_time()
    await asyncio.sleep(seconds)
    took, busy = time.perf_counter() - begun, time.process_time() - busy
    latencies = sorted(second for client in clients for second in client.latencies)
    lost = sum(client.lost for client in clients)
    failures = sum(client.failures for client in clients)
    if not latencies or lost or failures:
        raise SystemExit(f"{len(latencies)} answers, {failures} failures, {lost} connections lost")
    return {
        "rps": len(latencies) / took,
        "p50_ms": latencies[len(latencies) // 2] * 1000,
        "p99_ms": latencies[int(len(latencies) * 0.99)] * 1000,
        "busy": busy / took,
    }


if __name__ == "__main__":
    port, concurrency, seconds, *numbers = sys.argv[1:]
    print(
        json.dumps(
            uvloop.run(load(int(port), int(concurrency), float(seconds), *map(int, numbers)))
        )
    )
