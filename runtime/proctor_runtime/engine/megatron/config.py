"""How a model can be split over ranks, and how long a context it can be served with."""

from math import gcd

from proctor_crds.reasons import Reason
from proctor_runtime.checkpoints.architecture import ModelConfig
from proctor_runtime.failure import RejectedError

__all__ = ["ModelConfig", "check_context", "check_parallelism", "divisors"]


def check_parallelism(config: ModelConfig, *, tensor: int, pipeline: int, expert: int = 1) -> None:
    """Refuse a split that leaves a remainder, naming both numbers and what would divide."""
    asked = {"tensor": tensor, "pipeline": pipeline, "expert": expert}
    for axis, sizes in divided(config).items():
        for what, size in sizes.items():
            if size % asked[axis]:
                valid = ", ".join(map(str, divisors(gcd(*sizes.values()))))
                raise RejectedError(
                    Reason.PARALLELISM_INVALID,
                    f"{what} ({size}) cannot be divided by {axis} parallel size {asked[axis]}; "
                    f"valid {axis} parallel sizes for this checkpoint: {valid}",
                )


def divided(config: ModelConfig) -> dict[str, dict[str, int]]:
    """List what each kind of parallelism divides."""
    tensor = {
        "attention heads": config.num_attention_heads,
        "query groups": config.num_query_groups,
        "feed-forward width": config.ffn_hidden_size,
        "padded vocabulary": config.padded_vocab_size,
    }
    experts = config.experts
    if experts:
        tensor["experts' feed-forward width"] = experts.ffn_hidden_size
        tensor["shared expert's feed-forward width"] = experts.shared_ffn_hidden_size or 0
    return {
        "tensor": tensor,
        "pipeline": {"layers": config.num_layers},
        "expert": {"experts": experts.count if experts else 1},
    }


def divisors(number: int) -> list[int]:
    """List the divisors of a positive number in ascending order."""
    return [n for n in range(1, number + 1) if number % n == 0]


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
