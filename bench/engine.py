"""The engine as a server runs it, in this process."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from proctor_runtime.engine.batcher import Batcher

os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")


@contextmanager
def running_engine(checkpoint: Path) -> Iterator[Batcher]:
    """Serve a checkpoint with as many threads as the baseline has: all there are."""
    import torch  # noqa: PLC0415 - it takes seconds to import

    from proctor_runtime.engine.megatron.engine import MegatronEngine  # noqa: PLC0415
    from proctor_runtime.engine.megatron.source import ModelSource  # noqa: PLC0415

    threads = torch.get_num_threads()
    engine = MegatronEngine(ModelSource(checkpoint=checkpoint))
    torch.set_num_threads(threads)
    batcher = Batcher(engine, decode=lambda tokens: " ".join(map(str, tokens)))
    batcher.start()
    try:
        yield batcher
    finally:
        batcher.close()
