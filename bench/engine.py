"""The engine as a server runs it, in this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from proctor_runtime.engine.batcher import Batcher
from proctor_runtime.engine.megatron.source import ModelSource
from proctor_runtime.engine.options import EngineOptions
from proctor_runtime.serve import load_engine


@contextmanager
def running_engine(checkpoint: Path, *, max_batch_size: int = 32) -> Iterator[Batcher]:
    """Serve a checkpoint."""
    engine = load_engine(
        ModelSource(checkpoint=checkpoint, options=EngineOptions(max_batch_size=max_batch_size))
    )
    batcher = Batcher(engine, decode=lambda tokens: " ".join(map(str, tokens)))
    batcher.start()
    try:
        yield batcher
    finally:
        batcher.close()
