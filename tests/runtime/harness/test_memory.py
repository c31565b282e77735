"""A long evaluation needs no more memory than a short one, but for the index of its answers."""

from pathlib import Path

from bench.adapter import free_port, load, serving
from tests.runtime.harness.processes import AdapterProcess, adapter

INDEX_BYTES = 600
"""Most of the index for an answer, its turn included."""
SLACK_BYTES = 8 << 20


def resident_bytes(process: AdapterProcess) -> int:
    status = Path(f"/proc/{process.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


def test_memory_is_flat(tmp_path: Path) -> None:
    port = free_port()
    upstream = serving("upstream", port, ["-m", "bench.adapter_upstream", str(port)])
    with upstream, adapter(f"http://127.0.0.1:{port}", tmp_path, MODEL_IDENTITY="m") as process:
        load(process.port, 32, 1)
        before, done = resident_bytes(process), process.progress()["done"]
        items = 0
        for first in range(1, 20):
            load(process.port, 32, first * 10_000_000)
            items = process.progress()["done"] - done
            if items >= 10_000:
                break
        grown = resident_bytes(process) - before
    assert items >= 10_000
    assert grown < items * INDEX_BYTES + SLACK_BYTES
