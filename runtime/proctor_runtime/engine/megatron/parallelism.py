"""How a model is split over ranks, in Megatron's terms, and what can be split so."""

from dataclasses import dataclass
from math import gcd

from proctor_crds.reasons import Reason
from proctor_runtime.checkpoints.architecture import ModelConfig
from proctor_runtime.failure import RejectedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Parallelism:
    """The sizes of the axes; data parallelism there is none, replicas are pods of their own."""

    tensor: int = 1
    pipeline: int = 1
    context: int = 1
    expert: int = 1
    expert_tensor: int | None = None
    """Of each expert; None for `tensor`, or 1 where `expert` spreads whole experts."""
    sequence: bool = False
    """Activations are split along the tokens between tensor parallel ranks."""

    @property
    def ranks(self) -> int:
        """How many processes it takes."""
        return self.stage_ranks * self.pipeline

    @property
    def stage_ranks(self) -> int:
        """How many ranks a pipeline stage has; experts are spread over these."""
        return self.tensor * self.context

    @property
    def expert_tensor_size(self) -> int:
        """Over how many ranks an expert is split."""
        return self.expert_tensor or (self.tensor if self.expert == 1 else 1)

    def splits_tokens(self, config: ModelConfig) -> bool:
        """Whether tensor parallel ranks hold different tokens between layers.

        Models of experts always do: ranks with the same tokens would send each of them to its
        experts once per rank.
        """
        return self.tensor > 1 and (self.sequence or config.experts is not None)


ONE_RANK = Parallelism()


def check_parallelism(config: ModelConfig, asked: Parallelism) -> None:
    """Refuse a split that cannot be, naming the numbers and what could be instead."""
    for axis, (ways, sizes) in divided(config, asked).items():
        for what, size in sizes.items():
            if size % ways:
                raise invalid(
                    f"{what} ({size}) cannot be divided by {axis} parallel size {ways}; "
                    f"valid {axis} parallel sizes for this checkpoint: {listed(*sizes.values())}"
                )
    if config.experts is None and (asked.expert_tensor or 1) > 1:
        raise invalid(
            f"expert tensor parallel size is {asked.expert_tensor}, and this checkpoint has no"
            " experts; leave parallelism.expertTensor out"
        )


def check_axes(asked: Parallelism) -> None:
    """Refuse sizes that do not go together, whatever the model."""
    if asked.sequence and asked.tensor == 1:
        raise invalid(
            "sequence parallelism splits activations between tensor parallel ranks, and tensor"
            " parallel size is 1; set parallelism.sequence to false, or parallelism.tensor to 2"
            " or more"
        )
    each = asked.expert_tensor_size
    if asked.stage_ranks % (asked.expert * each):
        valid = listed(asked.stage_ranks // each) if asked.stage_ranks % each == 0 else "none"
        raise invalid(
            f"expert parallel size {asked.expert} × expert tensor parallel size {each} must divide"
            f" tensor × context parallel size ({asked.tensor} × {asked.context}); valid expert"
            f" parallel sizes with this expert tensor parallel size: {valid}"
        )


def divided(config: ModelConfig, asked: Parallelism) -> dict[str, tuple[int, dict[str, int]]]:
    """List over how many ranks each kind of parallelism divides what."""
    tensor = {
        "attention heads": config.num_attention_heads,
        "query groups": config.num_query_groups,
        "feed-forward width": config.ffn_hidden_size,
        "padded vocabulary": config.padded_vocab_size,
    }
    found = {
        "tensor": (asked.tensor, tensor),
        "pipeline": (asked.pipeline, {"layers": config.num_layers}),
        "expert": (asked.expert, {"experts": config.experts.count if config.experts else 1}),
    }
    if config.experts:
        tensor["shared expert's feed-forward width"] = config.experts.shared_ffn_hidden_size or 0
        width = {"experts' feed-forward width": config.experts.ffn_hidden_size}
        found["expert tensor"] = (asked.expert_tensor_size, width)
    return found


def invalid(message: str) -> RejectedError:
    """Make the error for a split that cannot be."""
    return RejectedError(Reason.PARALLELISM_INVALID, message)


def listed(*sizes: int) -> str:
    """List what divides all of the sizes."""
    return ", ".join(map(str, divisors(gcd(*sizes))))


def divisors(number: int) -> list[int]:
    """List the divisors of a positive number in ascending order."""
    return [n for n in range(1, number + 1) if number % n == 0]
