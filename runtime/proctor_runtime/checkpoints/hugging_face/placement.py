"""Which part of a whole model a rank holds, by the model itself and Megatron's groups."""

import re
from dataclasses import dataclass
from typing import Any

from megatron.core import parallel_state

from proctor_runtime.checkpoints.hugging_face.recipes import Share

LAYER = re.compile(r"^decoder\.layers\.(\d+)\.")
EXPERT = re.compile(r"\.local_experts\.(\d+)\.")


@dataclass(frozen=True, slots=True)
class Placement:
    """A rank's place in the whole model."""

    tensor: Share
    expert_tensor: Share
    layers: tuple[int, ...]
    """Of each layer that the rank has, its number in the whole model."""
    first_expert: int

    @classmethod
    def of(cls, model: Any) -> "Placement":
        """Read where `model` stands from its layers and from the groups that are set up."""
        experts = model.config.num_moe_experts or 0
        each = experts // parallel_state.get_expert_model_parallel_world_size()
        return cls(
            tensor=Share(
                parallel_state.get_tensor_model_parallel_rank(),
                parallel_state.get_tensor_model_parallel_world_size(),
            ),
            expert_tensor=Share(
                parallel_state.get_expert_tensor_parallel_rank(),
                parallel_state.get_expert_tensor_parallel_world_size(),
            ),
            layers=tuple(layer.layer_number - 1 for layer in model.decoder.layers),
            first_expert=each * parallel_state.get_expert_model_parallel_rank(),
        )

    def name_in_whole(self, name: str) -> str:
        """Return a parameter's name with its layer and its expert counted over the whole model."""
        name = LAYER.sub(lambda at: f"decoder.layers.{self.layers[int(at[1])]}.", name)
        return EXPERT.sub(lambda at: f".local_experts.{self.first_expert + int(at[1])}.", name)

    def share(self, name: str) -> Share:
        """Return the part of the parameter that the rank holds."""
        return self.expert_tensor if EXPERT.search(name) else self.tensor
