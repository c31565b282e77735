"""The engine as a server runs it, in this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from proctor_runtime.engine.batcher import Batcher
from proctor_runtime.engine.megatron.source import ModelSource
from proctor_runtime.serve import load_engine


@contextmanager
def running_engine(checkpoint: Path) -> Iterator[Batcher]:
    """Serve a checkpoint with as many threads as the baseline has: all there are."""
    threads = torch.get_num_threads()
    engine = load_engine(ModelSource(checkpoint=checkpoint))
    torch.set_num_threads(threads)
    batcher = Batcher(engine, decode=lambda tokens: " ".join(map(str, tokens)))
    batcher.start()
    try:
        yield batcher
    finally:
        batcher.close()
