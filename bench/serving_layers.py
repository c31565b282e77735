"""What HTTP and Triton cost: the same load straight into the engine, over HTTP, and through Triton.

One engine in one process serves all three, in turns, so what else the machine does hits all alike.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp

from bench.load import CONCURRENT, Body, generation, scoring, seconds_of
from bench.measurement import Measurement
from bench.serving_model import VOCABULARY, write_model
from tests.runtime.server_process import PORTS, free_ports

ROUNDS = 5
GENERATIONS = 96
SCORINGS = 384

Times = dict[str, list[float]]


def measure() -> list[Measurement]:
    """Medians of `ROUNDS` rounds of each load."""
    with tempfile.TemporaryDirectory() as directory:
        write_model(Path(directory))
        with serving(Path(directory)) as urls:
            generating = asyncio.run(times(urls, generation, GENERATIONS))
            scored = asyncio.run(times(urls, scoring, SCORINGS))
    return [
        Measurement("http_overhead_32", overhead(generating), "share", 0.15, "lower"),
        Measurement("triton_vs_direct", through_triton(generating), "ratio", 0.9, "higher"),
        Measurement("http_overhead_32_scoring", overhead(scored), "share", 0.15, "lower"),
        Measurement("triton_vs_direct_scoring", through_triton(scored), "ratio", 0.9, "higher"),
    ]


def overhead(found: Times) -> float:
    """The share of the engine's own time that HTTP adds."""
    return statistics.median(
        http / straight - 1 for http, straight in zip(found["http"], found["straight"], strict=True)
    )


def through_triton(found: Times) -> float:
    """Throughput through Triton in that without."""
    return statistics.median(
        http / triton for http, triton in zip(found["http"], found["triton"], strict=True)
    )


async def times(urls: dict[str, str], load: Callable[[int, int], list[Body]], count: int) -> Times:
    """Seconds of each round each way, after one to warm up."""
    found: Times = {name: [] for name in urls}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONCURRENT)) as session:
        for _ in range(ROUNDS + 1):
            for name, url in urls.items():
                found[name].append(await seconds(session, name, url, load(count, VOCABULARY)))
    return {name: values[1:] for name, values in found.items()}


async def seconds(session: aiohttp.ClientSession, name: str, url: str, bodies: list[Body]) -> float:
    """Seconds of a load one way."""
    if name == "straight":
        async with session.post(f"{url}/straight", json=bodies) as answer:
            return float(await answer.text())

    async def ask(body: Body) -> None:
        async with session.post(f"{url}/v1/completions", json=body) as answer:
            answer.raise_for_status()
            await answer.read()

    return await seconds_of(bodies, ask)


@contextmanager
def serving(folder: Path) -> Iterator[dict[str, str]]:
    """Run the serving process; yield its URLs."""
    ports = dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True))
    process = subprocess.Popen(  # noqa: S603  this interpreter
        [sys.executable, "-m", "bench.serving_process", str(folder)],
        env={**os.environ, **ports},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stdin is not None  # noqa: S101,PT018
    try:
        yield json.loads(next(line for line in process.stdout if line.startswith("{")))
    finally:
        process.stdin.close()
        process.wait(60)


if __name__ == "__main__":
    print(json.dumps([found.record() for found in measure()], indent=2))
