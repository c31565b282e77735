"""The ranks that do not serve: processes of this node that repeat what rank 0 runs."""

import multiprocessing as mp
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING

from proctor_crds.wire import EXIT_REJECTED
from proctor_runtime.engine.protocol import EngineDeadError
from proctor_runtime.engine.scheduling.step import Step
from proctor_runtime.failure import RejectedError

if TYPE_CHECKING:
    from proctor_runtime.engine.megatron.source import ModelSource


class Followers:
    """Ranks 1 and up, watched: the first to die takes the group with it."""

    def __init__(
        self, processes: Sequence[BaseProcess], on_death: Callable[[Exception], None]
    ) -> None:
        self.processes = processes
        self.closing = False
        self.died = False
        self._on_death = on_death
        self._watcher = threading.Thread(target=self._watch, name="followers", daemon=True)
        if processes:
            self._watcher.start()

    def _watch(self) -> None:
        ended = wait([process.sentinel for process in self.processes])
        if self.closing:
            return
        self.died = True
        dead = [process for process in self.processes if process.sentinel in ended]
        for process in dead:
            process.join()
        self.kill()
        listing = ", ".join(f"{process.name} (exit code {process.exitcode})" for process in dead)
        self._on_death(EngineDeadError(f"a rank of the model died: {listing}"))

    def mourn(self, seconds: float) -> None:
        """Wait until a death has been told, which names the rank; not longer, if all are alive."""
        self._watcher.join(seconds)

    def kill(self) -> None:
        """End everybody at once."""
        self.closing = True
        for process in self.processes:
            process.kill()

    def join(self) -> None:
        """Wait for everybody to have left."""
        for process in self.processes:
            process.join()


def spawn(source: "ModelSource", port: int, on_death: Callable[[Exception], None]) -> Followers:
    """Start every rank but this one; they meet at `port`."""
    context = mp.get_context("spawn")
    processes = [
        context.Process(target=follow, args=(source, rank, port), name=f"rank-{rank}", daemon=True)
        for rank in range(1, source.parallelism.ranks)
    ]
    for process in processes:
        process.start()
    return Followers(processes, on_death)


def follow(source: "ModelSource", rank: int, port: int) -> None:
    """Be one rank until rank 0 says goodbye or dies."""
    # Rank 0 drains on SIGTERM and needs its followers until then.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=die_with_parent, daemon=True).start()
    try:
        repeat(source, rank, port)
    except RejectedError as error:
        print(f"rank {rank}: {error}", file=sys.stderr)
        os._exit(EXIT_REJECTED)


def die_with_parent() -> None:
    """End this process when rank 0 is gone, even from within a collective that never ends."""
    parent = mp.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def repeat(source: "ModelSource", rank: int, port: int) -> None:
    """Compute every step that rank 0 computes."""
    from torch.distributed import TCPStore  # type: ignore[attr-defined]  # noqa: PLC0415 - slow

    from proctor_runtime.engine.megatron.engine import load_executor  # noqa: PLC0415
    from proctor_runtime.engine.megatron.ranks import Ranks, leave  # noqa: PLC0415

    store = TCPStore("127.0.0.1", port, source.parallelism.ranks, is_master=False)
    ranks = Ranks.join(rank, source.parallelism, store)
    executor = load_executor(source, ranks)
    nothing: Step | None = None
    while step := ranks.agree(nothing):
        ranks.share(executor.execute(step))
    leave()
