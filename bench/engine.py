"""The engine as a server runs it, in this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from proctor_runtime.engine.batcher import Batcher, launch
from proctor_runtime.engine.megatron.source import ModelSource
from proctor_runtime.engine.options import EngineOptions
from proctor_runtime.serve import load_engine


@contextmanager
def running_engine(checkpoint: Path, *, max_batch_size: int = 32) -> Iterator[Batcher]:
    """Serve a checkpoint."""
    options = EngineOptions(max_batch_size=max_batch_size)
    source = ModelSource(checkpoint=checkpoint, options=options)
    batcher = launch(
        lambda: Batcher(load_engine(source), decode=lambda tokens, **_: " ".join(map(str, tokens)))
    )
    try:
        yield batcher
    finally:
        batcher.close()
