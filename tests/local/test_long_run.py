"""Ten thousand questions: memory stays flat, and the status is seldom written."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

from proctor_cli.local.objects import Change
from proctor_operator.cluster import Manifest
from proctor_operator.settings import Settings
from tests.local.real_harness import cluster, ended, processes, run, write_tasks
from tests.runtime.harness.model_server import ModelServer, serving

SUMS = 2500
QUESTIONS = {"sum_mc": SUMS * 3, "sum_gen": SUMS}
PROGRESS_SECONDS = Settings().progress_seconds
ANSWER_SECONDS = 0.012
"""With four at a time, long enough for several looks at the progress on any machine."""
INDEX_BYTES = 600
"""Of the adapter's index, for an answer."""
SLACK_BYTES = 16 << 20
"""Of an allocator, and of the driver's end, where it reads an item record for each sample."""


class Writes:
    """The run's statuses, each once, with when it was written."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, Manifest]] = []

    def note(self, change: Change) -> None:
        """Keep a status that differs from the one before."""
        status = change.object.get("status", {})
        if change.object["kind"] == "EvaluationRun" and status != self.last:
            self.seen.append((time.monotonic(), status))

    @property
    def last(self) -> Manifest:
        """The newest."""
        return self.seen[-1][1] if self.seen else {}

    def of_progress(self) -> list[float]:
        """When one was written in which nothing but the progress is new."""
        return [
            at for (_, old), (at, new) in pairwise(self.seen) if milestones(old) == milestones(new)
        ]


def milestones(status: Manifest) -> list[object]:
    """What of a status is no progress."""
    evaluations = status.get("evaluations", [])
    return [
        status.get("conditions"),
        [(e.get("job"), e.get("completionTime")) for e in evaluations],
    ]


async def watch_memory(state: Path, seen: dict[tuple[str, int], list[int]]) -> None:
    """Keep the resident bytes of each adapter and driver, five times a second."""
    while True:
        for container in ("adapter", "harness"):
            for pid in processes(state, container):
                with suppress(OSError, IndexError):  # one that has just ended
                    if container == "adapter" or is_driver(pid):
                        seen[container, pid].append(resident_bytes(pid))
        await asyncio.sleep(0.2)


def is_driver(pid: int) -> bool:
    words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    return "proctor_harness" in words


def resident_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


async def test_ten_thousand_questions(tmp_path: Path) -> None:
    write_tasks(tmp_path / "tasks", SUMS, 1)
    (tmp_path / "artifacts").mkdir()
    volumes = {"tasks": tmp_path / "tasks", "artifacts": tmp_path / "artifacts"}
    writes, resident = Writes(), defaultdict[tuple[str, int], list[int]](list)
    with serving(ModelServer(delay_seconds=ANSWER_SECONDS)) as model:
        manifest = run("long", model.url)
        [given] = manifest["spec"]["evaluations"]
        manifest["spec"]["evaluations"] = [
            given | {"name": task.replace("_", "-"), "tasks": [task]} for task in QUESTIONS
        ]
        async with cluster(tmp_path, volumes, Settings()) as local:
            local.watch(writes.note)
            watching = asyncio.create_task(watch_memory(tmp_path / "state", resident))
            await local.apply(manifest)
            status = await ended(local, "long")
            watching.cancel()
    assert status["progress"] == "10000/10000"
    assert_seldom(writes)
    for (container, _), sizes in resident.items():
        assert_flat(container, sizes)


def assert_seldom(writes: Writes) -> None:
    """A run of this length is written about several times, and not before the pause is over."""
    times = writes.of_progress()
    pauses = [later - before for before, later in pairwise(times)]
    assert len(times) >= 3, writes.seen
    # A time in the status has no fractions, and is taken before the adapters are asked.
    assert min(pauses) > PROGRESS_SECONDS - 2, pauses
    others = len(writes.seen) - len(times)
    assert others < 30, writes.seen


def assert_flat(container: str, sizes: Sequence[int]) -> None:
    """After a fifth of its time a process has what it needs, but for the index of its answers."""
    index = INDEX_BYTES * max(QUESTIONS.values()) if container == "adapter" else 0
    start = sizes[len(sizes) // 5]
    assert max(sizes) < start + index + SLACK_BYTES, (container, sizes)
