"""How long a context a model can be served with."""

from proctor_crds.reasons import Reason
from proctor_runtime.checkpoints.architecture import ModelConfig
from proctor_runtime.failure import RejectedError

__all__ = ["ModelConfig", "check_context"]


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
