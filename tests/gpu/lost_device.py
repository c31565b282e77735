"""`python -m tests.gpu.lost_device CHECKPOINT`: let a kernel fail, which no process survives.

Prints how the engine fails the step in which it happened, and ends without a goodbye: after that
CUDA refuses even to be left.
"""

import os
import sys
from pathlib import Path

from proctor_runtime.engine.megatron.engine import MegatronEngine
from proctor_runtime.engine.megatron.source import ModelSource
from proctor_runtime.engine.options import EngineOptions
from proctor_runtime.engine.scheduling.step import Row, Step


def main(checkpoint: str) -> None:
    """Ask for the embedding of a token that does not exist."""
    options = EngineOptions(cuda_graphs=False)
    engine = MegatronEngine(ModelSource(checkpoint=Path(checkpoint), options=options))
    unknown = Row(0, (10**6,), 0, ((0, 1),), samples=True)
    try:
        engine.execute(Step(rows=(unknown,)))
    except Exception as error:
        print(f"{type(error).__name__}: {error}")
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
