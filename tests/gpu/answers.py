"""`python -m tests.gpu.answers`: an engine in a process of its own, on the devices it is shown.

A process has CUDA or it has not, so the reference of the CPU and the answers of a GPU come from
the same code in two environments.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import TypeAdapter

from proctor_runtime.engine.protocol import Completion, GenerateRequest

Batch = list[GenerateRequest]
BATCHES = TypeAdapter(list[Batch])


@dataclass(frozen=True, slots=True)
class Answered:
    """A batch's completions, and how long they took."""

    completions: list[Completion]
    seconds: float


ANSWERED = TypeAdapter(list[Answered])


@dataclass(frozen=True, slots=True)
class Configuration:
    """Where and how a model is loaded."""

    device: str
    dtype: str = "float32"
    tensor: int = 1
    graphs: bool = True
    """CUDA graphs, where there are any."""

    def __str__(self) -> str:
        eager = "" if self.graphs else ", no graphs"
        return f"{self.device}, {self.dtype}, TP{self.tensor}{eager}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which the engine finds this device."""
        hidden = {"CUDA_VISIBLE_DEVICES": ""} if self.device == "cpu" else {}
        return {**os.environ, "TORCHDYNAMO_DISABLE": "1", **hidden}


def answers(
    configuration: Configuration, checkpoint: Path, batches: Sequence[Batch]
) -> list[Answered]:
    """Let an engine of this configuration answer the batches, one after the other."""
    with TemporaryDirectory() as folder:
        asked, answered = Path(folder, "asked.json"), Path(folder, "answered.json")
        asked.write_bytes(BATCHES.dump_json(list(batches)))
        how = TypeAdapter(Configuration).dump_json(configuration).decode()
        subprocess.run(
            [sys.executable, "-m", __spec__.name, how, checkpoint, asked, answered],
            env=configuration.environment,
            check=True,
        )
        return ANSWERED.validate_json(answered.read_bytes())


def main(how: str, checkpoint: str, asked: str, answered: str) -> None:
    """Load the model, answer, and write the answers down."""
    configuration = TypeAdapter(Configuration).validate_json(how)
    from proctor_runtime.engine.megatron.engine import MegatronEngine
    from proctor_runtime.engine.megatron.parallelism import Parallelism
    from proctor_runtime.engine.megatron.source import ModelSource
    from proctor_runtime.engine.options import EngineOptions
    from tests.runtime.batches import run

    source = ModelSource(
        checkpoint=Path(checkpoint),
        dtype=configuration.dtype,
        parallelism=Parallelism(tensor=configuration.tensor),
        options=EngineOptions(cuda_graphs=configuration.graphs),
    )
    engine = MegatronEngine(source)
    print(json.dumps({"device": engine.info.device, "dtype": engine.info.dtype}))
    done = []
    for batch in BATCHES.validate_json(Path(asked).read_bytes()):
        begin = time.perf_counter()
        completions = run(engine, batch)
        done.append(Answered(completions, time.perf_counter() - begin))
    expected = configuration.graphs and configuration.device == "cuda" and configuration.tensor == 1
    if engine.info.cuda_graphs.on != expected:
        sys.exit(f"not as it should be: {engine.info.cuda_graphs}")
    engine.close()
    Path(answered).write_bytes(ANSWERED.dump_json(done))


if __name__ == "__main__":
    main(*sys.argv[1:])
