"""What a module says of one ``model_type``, and the names that most of them share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from proctor_runtime.checkpoints.architecture import ModelConfig
from proctor_runtime.checkpoints.hugging_face.fields import Fields
from proctor_runtime.checkpoints.hugging_face.recipes import Recipe

Recipes = Mapping[str, Recipe]
"""How each parameter is made, under Megatron's name of it with layers and experts counted over the
whole model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A ``model_type`` that is served."""

    model_class: str
    """Of ``architectures`` in config.json: the one that predicts the next token."""
    prefix: str
    """What transformers puts before the names of all tensors but the output layer's."""
    config: Callable[[Fields], ModelConfig]
    recipes: Callable[[ModelConfig], Recipes]
    ignored: tuple[str, ...] = ()
    """Ends of the names of tensors that are no parameters: tables that older versions saved."""


def under(prefix: str, recipes: Recipes) -> dict[str, Recipe]:
    """Put `prefix` before the names of parameters."""
    return {prefix + name: recipe for name, recipe in recipes.items()}
