"""The adapter beside NeMo Evaluator 0.2.8's, before one upstream that answers at once.

The ratio to the direct upstream is told beside one by uvicorn, as real servers are made; what is
printed has it beside the bare socket too.

All servers stand from beginning to end, and each round loads them one after the other, so that what
else the machine does falls on all alike; a ratio is the median of the rounds' ratios. Both adapters
get the same configuration: the default one (cache, statistics, report) and one of the endpoint
alone.
"""

import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from urllib.request import urlopen

from bench.measurement import Measurement
from tests import nemo_evaluator

CONCURRENCIES = (1, 16, 64, 128)
ROUNDS = 3
SECONDS = 3.0
STORED = 4_000
"""Questions that the hits are drawn from."""
FILLS = 3
"""Loads that fill the store: each asking of a question takes one more of its answers."""
DEFAULT: dict[str, object] = {}
ENDPOINT: dict[str, object] = {"interceptors": ["endpoint"]}
HERE = Path(__file__).parent

Load = dict[str, float]


@dataclass(frozen=True)
class Server:
    """A process that listens."""

    name: str
    port: int
    process: "subprocess.Popen[bytes]"

    def peak_mb(self) -> float:
        """Most memory that it held, in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024


def measure() -> list[Measurement]:
    """The ratios, and the adapter's hits and memory."""
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        servers = [stack.enter_context(server) for server in all_servers(Path(directory))]
        rounds = [one_round(servers) for _ in range(ROUNDS)]
        peak = max(server.peak_mb() for server in servers if server.name.startswith("adapter"))
        upstream = servers[0]
        hits = stored_answers_per_second(Path(directory) / "hits", upstream.port)
    log(rounds, hits)
    return [
        *(ratio(rounds, "default", concurrency, 10.0) for concurrency in CONCURRENCIES),
        *(ratio(rounds, "endpoint", concurrency, 6.0) for concurrency in CONCURRENCIES),
        Measurement("adapter_p99_vs_nemo_64", p99_ratio(rounds), "ratio", 0.1, "lower"),
        Measurement("adapter_vs_direct", direct_ratio(rounds), "ratio", 0.3, "higher"),
        Measurement("adapter_hit_rps", hits["rps"], "1/s", 5000.0, "higher"),
        Measurement("adapter_rss_mb", peak, "MB", 150.0, "lower"),
    ]


Round = dict[tuple[str, int], Load]


def ratio(rounds: list[Round], chain: str, concurrency: int, goal: float) -> Measurement:
    """Requests per second of ours over NeMo's."""
    ours, theirs = (f"adapter_{chain}", concurrency), (f"nemo_{chain}", concurrency)
    value = statistics.median(found[ours]["rps"] / found[theirs]["rps"] for found in rounds)
    return Measurement(f"adapter_{chain}_vs_nemo_{concurrency}", value, "ratio", goal, "higher")


def p99_ratio(rounds: list[Round]) -> float:
    """The 99th percentile of ours over NeMo's, default chain, at 64."""
    pairs = [(found["adapter_default", 64], found["nemo_default", 64]) for found in rounds]
    return statistics.median(ours["p99_ms"] / theirs["p99_ms"] for ours, theirs in pairs)


def direct_ratio(rounds: list[Round]) -> float:
    """Requests per second through the adapter over those without it, at 64."""
    return statistics.median(
        found["adapter_asgi", 64]["rps"] / found["asgi", 64]["rps"] for found in rounds
    )


NUMBERS = count(1, 10_000_000)
"""Each load asks other questions."""


def one_round(servers: list[Server]) -> Round:
    """Load each server at each concurrency."""
    return {
        (server.name, concurrency): load(server.port, concurrency, next(NUMBERS))
        for concurrency in CONCURRENCIES
        for server in servers
        if concurrency == 64 or "asgi" not in server.name
    }


def load(port: int, concurrency: int, *numbers: int) -> Load:
    """One load, by a process of its own."""
    argv = [sys.executable, "-m", "bench.adapter_load", str(port), str(concurrency), str(SECONDS)]
    argv += map(str, numbers)
    said = subprocess.run(argv, capture_output=True, text=True, check=False)  # noqa: S603
    if said.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {said.stderr}")
    found: Load = json.loads(said.stdout)
    return found


def stored_answers_per_second(directory: Path, upstream: int) -> Load:
    """Load an adapter that has every answer, on one core."""
    with our_adapter("hits", directory, upstream, DEFAULT) as adapter:
        for _ in range(FILLS):
            load(adapter.port, 16, 0, STORED)
    with our_adapter("hits", directory, upstream, DEFAULT) as adapter:
        os.sched_setaffinity(adapter.process.pid, {min(os.sched_getaffinity(0))})
        found = load(adapter.port, 16, 0, STORED)
        counted = json.load(urlopen(f"http://127.0.0.1:{adapter.port}/progress"))
    if counted["cached"] < counted["done"]:
        raise RuntimeError(f"{counted['cached']} of {counted['done']} were hits: raise FILLS")
    return found


def all_servers(directory: Path) -> Iterator[contextlib.AbstractContextManager[Server]]:
    """The upstream first."""
    upstream = free_port()
    yield serving("direct", upstream, ["-m", "bench.adapter_upstream", str(upstream)])
    for chain, config in (("default", DEFAULT), ("endpoint", ENDPOINT)):
        yield our_adapter(f"adapter_{chain}", directory / f"adapter_{chain}", upstream, config)
        yield nemos_adapter(f"nemo_{chain}", directory / f"nemo_{chain}", upstream, config)
    asgi = free_port()
    yield serving("asgi", asgi, ["-m", "bench.adapter_asgi", str(asgi)])
    yield our_adapter("adapter_asgi", directory / "adapter_asgi", asgi, ENDPOINT)


def our_adapter(
    name: str, directory: Path, upstream: int, config: dict[str, object]
) -> contextlib.AbstractContextManager[Server]:
    """Ours, with a key, as in a pod."""
    port = free_port()
    environ = {
        "UPSTREAM_URL": f"http://127.0.0.1:{upstream}",
        "PORT_ADAPTER": str(port),
        "MOUNT_ARTIFACTS": str(directory),
        "API_KEY": "sk-0123456789abcdef",
        "ADAPTER_CONFIG": json.dumps(config),
    }
    return serving(name, port, ["-m", "proctor_harness.adapter"], environ)


def nemos_adapter(
    name: str, directory: Path, upstream: int, config: dict[str, object]
) -> contextlib.AbstractContextManager[Server]:
    """NeMo's."""
    port = free_port()
    url = f"http://127.0.0.1:{upstream}/v1/chat/completions"
    argv = [str(HERE / "adapter_nemo.py"), str(port), url, str(directory), json.dumps(config)]
    return serving(name, port, argv, nemo_evaluator.ENVIRON, nemo_evaluator.python())


@contextlib.contextmanager
def serving(
    name: str,
    port: int,
    arguments: list[str],
    environ: Mapping[str, str] = {},
    python: str | Path = sys.executable,
) -> Iterator[Server]:
    """Start a server, wait until it listens, and end it."""
    process = subprocess.Popen(  # noqa: S603
        [str(python), *arguments],
        env={**os.environ, **environ},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with process:
        try:
            wait_for(port)
            yield Server(name, port, process)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def wait_for(port: int) -> None:
    """Wait until somebody listens."""
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def log(rounds: list[Round], hits: Load) -> None:
    """Print what the ratios are made of."""
    found: dict[tuple[str, int], list[Load]] = defaultdict(list)
    for one in rounds:
        for key, value in one.items():
            found[key].append(value)
    found["hits", 16] = [hits]
    for (name, concurrency), loads in sorted(found.items()):
        fields = {key: statistics.median(one[key] for one in loads) for key in loads[0]}
        shown = "  ".join(f"{key} {value:9.2f}" for key, value in fields.items())
        print(f"{name:17s} {concurrency:4d}  {shown}")


if __name__ == "__main__":
    print(json.dumps([found.record() for found in measure()], indent=2))
