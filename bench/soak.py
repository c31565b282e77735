"""A soak: mixed load for long, with clients that leave. Memory stays, nothing fails or sticks.

``python -m bench.soak --minutes 30 --transport triton`` serves a model of five million random
parameters, and prints a line of CSV for each thirtieth of the time. It ends with an error where a
criterion is not met.
"""

import argparse
import asyncio
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count, cycle
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import aiohttp

from bench.resident import resident
from bench.serving_model import LONGEST, write_model
from bench.soak_load import CHAT_TEMPLATE, CROWD, KINDS, Kind, Tally, ask
from tests.runtime.server_process import Server, serving

CONCURRENT = (1, 8, 32)
PHASE_SECONDS = 20
"""Of one concurrency; after each, the server has to come to rest."""
REST_SECONDS = 20
MAY_WAIT = 512
CROWDS = 6
ROWS = 30
WARM_UP_ROWS = 5
SAMPLES_PER_ROW = 6
TOLERANCE = 0.05
GAUGES = ("num_requests_running", "num_requests_waiting", "kv_cache_usage_perc")


@dataclass(slots=True)
class Soak:
    """What is seen of a soak."""

    tally: Tally = field(default_factory=Tally)
    memory: list[Counter[str]] = field(default_factory=list)
    """Median bytes of each row, by process."""
    restless: list[str] = field(default_factory=list)
    """What was still under way after all clients had gone."""

    def totals(self) -> list[int]:
        """Return the bytes of all processes together, after the warm-up."""
        return [used.total() for used in self.memory[WARM_UP_ROWS:]]


async def soak(server: Server, seconds: float, seed: int = 0) -> Soak:
    """Load the server for so long."""
    seen, random = Soak(), Random(seed)  # noqa: S311 - load, not secrets
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(server.url, connector=connector) as session:
        loading = asyncio.create_task(load(session, seen, seconds, random))
        for _ in range(ROWS):
            seen.memory.append(await watched(server, seconds / ROWS))
            print(row(seen), flush=True)
        await loading
    return seen


async def watched(server: Server, seconds: float) -> Counter[str]:
    """Watch the server's memory for so long; return medians by process."""
    samples = []
    for _ in range(SAMPLES_PER_ROW):
        await asyncio.sleep(seconds / SAMPLES_PER_ROW)
        samples.append(await asyncio.to_thread(resident, server.process.pid))
    return Counter({name: int(statistics.median(s[name] for s in samples)) for name in samples[-1]})


def header() -> str:
    """Return the names of a row's columns."""
    return "row,total_mb,answered,left,full,error,stuck,mb_by_process"


def row(seen: Soak) -> str:
    """Return the latest row of CSV; counts are since the beginning."""
    used = seen.memory[-1]
    counts = [seen.tally.count(what) for what in header().split(",")[2:-1]]
    parts = " ".join(f"{name}={size / 1e6:.1f}" for name, size in sorted(used.items()))
    return ",".join(map(str, [len(seen.memory), f"{used.total() / 1e6:.1f}", *counts, parts]))


async def load(session: aiohttp.ClientSession, seen: Soak, seconds: float, random: Random) -> None:
    """Ask in all ways, at one concurrency after the other, and crowd the queue between them."""
    end = time.monotonic() + seconds
    phase = min(PHASE_SECONDS, seconds / len(CONCURRENT) / 2)
    for concurrent in cycle(CONCURRENT):
        until = min(time.monotonic() + phase, end)
        await asyncio.gather(
            *[keep_asking(session, seen.tally, until, random) for _ in range(concurrent)]
        )
        await rest(session, seen, f"after {concurrent} at a time")
        await asyncio.gather(*[ask(session, CROWD, random, seen.tally) for _ in range(CROWDS)])
        await rest(session, seen, "after a crowd")
        if time.monotonic() >= end:
            return


async def keep_asking(
    session: aiohttp.ClientSession, tally: Tally, until: float, random: Random
) -> None:
    """Be one client after the other."""
    while time.monotonic() < until:
        kind: Kind = random.choice(KINDS)
        await ask(session, kind, random, tally)


async def rest(session: aiohttp.ClientSession, seen: Soak, when: str) -> None:
    """Wait until the server says that nothing is under way and no block is held."""
    for waited in count():
        async with session.get("/metrics") as answer:
            busy = under_way(await answer.text())
        if not busy:
            return
        if waited == REST_SECONDS * 10:
            seen.restless.append(f"{when}: {busy}")
            return
        await asyncio.sleep(0.1)


def under_way(exposition: str) -> dict[str, float]:
    """Return the gauges that are not 0."""
    lines = [line for line in exposition.splitlines() if line.startswith("vllm:")]
    values = {line.split("{")[0].removeprefix("vllm:"): float(line.split()[-1]) for line in lines}
    return {name: values[name] for name in GAUGES if values[name]}


def complaints(seen: Soak, log: str, tolerance: float = TOLERANCE) -> list[str]:
    """Return which criteria are not met, and how."""
    totals, tally = seen.totals(), seen.tally
    drift = max(abs(total / totals[0] - 1) for total in totals)
    never = [k.name for k in (*KINDS, CROWD) if not any(n == k.name for n, _ in tally.outcomes)]
    found = {
        f"memory changed by {drift:.1%}, more than {tolerance:.0%}": drift > tolerance,
        f"{tally.count('error')} errors: {tally.errors}": tally.count("error"),
        f"{tally.count('stuck')} stuck requests": tally.count("stuck"),
        f"not at rest: {seen.restless}": seen.restless,
        "no client ever left": not tally.count("left"),
        "the queue was never full": not tally.count("full"),
        f"never asked: {never}": never,
        f"the server's log tells of errors: {errors_in(log)}": errors_in(log),
    }
    return [what for what, wrong in found.items() if wrong]


def errors_in(log: str) -> Sequence[str]:
    """Return the lines of errors."""
    signs = (" ERROR ", " CRITICAL ", "Traceback")
    return [line for line in log.splitlines() if any(sign in line for sign in signs)][:20]


def run(minutes: float, transport: str, tolerance: float = TOLERANCE) -> list[str]:
    """Serve, soak and stop; return which criteria are not met."""
    with TemporaryDirectory() as directory:
        folder = Path(directory)
        write_model(folder)
        (folder / "chat.jinja").write_text(CHAT_TEMPLATE)
        options = (
            f"--transport={transport}",
            f"--max-sequence-length={LONGEST}",
            f"--max-queued-requests={MAY_WAIT}",
            f"--chat-template={folder / 'chat.jinja'}",
        )
        with serving(folder / "checkpoint", folder / "tokenizer", folder, *options) as server:
            print(header(), flush=True)
            seen = asyncio.run(soak(server, minutes * 60))
            begin = time.monotonic()
            status = server.stop()
            print(f"stopped with {status} in {time.monotonic() - begin:.1f} s", flush=True)
            found = complaints(seen, server.log.read_text(), tolerance)
    for (kind, outcome), times in sorted(seen.tally.outcomes.items()):
        print(f"{kind},{outcome},{times}")
    return found if status == 0 else [*found, f"the server ended with {status}"]


def main() -> None:
    """Soak as told."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--transport", choices=["triton", "in-process"], default="triton")
    given = parser.parse_args()
    found = run(given.minutes, given.transport)
    sys.exit("\n".join(found) if found else None)


if __name__ == "__main__":
    main()
