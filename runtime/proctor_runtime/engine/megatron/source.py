"""Which model to serve and how to split it: known, and checked, before anything slow begins."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proctor_crds.reasons import Reason
from proctor_runtime.checkpoints.architecture import ModelConfig
from proctor_runtime.checkpoints.formats import FORMATS
from proctor_runtime.engine.megatron.parallelism import (
    ONE_RANK,
    Parallelism,
    check_axes,
    check_parallelism,
)
from proctor_runtime.engine.options import EngineOptions
from proctor_runtime.failure import RejectedError


@dataclass(frozen=True, kw_only=True)
class ModelSource:
    """A checkpoint and its split over ranks."""

    checkpoint: Path
    format: str = "megatron"
    """A key of `FORMATS`."""
    dtype: str = "float32"
    parallelism: Parallelism = ONE_RANK
    max_sequence_length: int = 2048
    options: EngineOptions = field(default_factory=EngineOptions)

    def read_config(self) -> ModelConfig:
        """Read the architecture and refuse it, or the split, if it cannot be served."""
        check_axes(self.parallelism)
        tensor = self.parallelism.tensor
        config = FORMATS[self.format].read_config(self.checkpoint, tensor=tensor)
        check_parallelism(config, self.parallelism)
        check_context(config, self.max_sequence_length)
        return config

    def load(self, model: Any) -> None:
        """Fill this rank's share of a model that was built from that configuration."""
        FORMATS[self.format].load(model, self.checkpoint)

    def digest(self) -> str:
        """Hash the checkpoint: it reads all of its files."""
        return FORMATS[self.format].digest(self.checkpoint)


def check_context(config: ModelConfig, max_sequence_length: int) -> None:
    """Refuse sequences that are longer than a sliding window, which this engine does not slide."""
    longest = min(max_sequence_length, config.max_position_embeddings)
    if config.attention_window and longest > config.attention_window:
        raise RejectedError(
            Reason.CHECKPOINT_UNSUPPORTED,
            f"the checkpoint attends through a sliding window of {config.attention_window} tokens, "
            f"and sequences of {longest} were asked for; set engine.maxSequenceLength to "
            f"{config.attention_window} or less, where the window makes no difference",
        )
