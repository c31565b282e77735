"""Which model to serve and how to split it: known, and checked, before anything slow begins."""

from dataclasses import dataclass, field
from pathlib import Path

from proctor_runtime.checkpoints import megatron as checkpoints
from proctor_runtime.engine.megatron.config import ModelConfig, check_parallelism
from proctor_runtime.engine.options import EngineOptions


@dataclass(frozen=True, kw_only=True)
class ModelSource:
    """A checkpoint and its split over tensor and pipeline parallel ranks."""

    checkpoint: Path
    dtype: str = "float32"
    tensor: int = 1
    pipeline: int = 1
    max_sequence_length: int = 2048
    options: EngineOptions = field(default_factory=EngineOptions)

    @property
    def ranks(self) -> int:
        """How many processes it takes."""
        return self.tensor * self.pipeline

    def read_config(self) -> ModelConfig:
        """Read the architecture and refuse it, or the split, if it cannot be served."""
        config = ModelConfig.from_args(checkpoints.read_args(self.checkpoint))
        check_parallelism(config, tensor=self.tensor, pipeline=self.pipeline)
        return config
