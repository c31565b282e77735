"""A folder that transformers' ``save_pretrained`` wrote: checked, then read rank by rank."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from math import lcm
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from proctor_crds.reasons import Reason
from proctor_runtime.checkpoints.architecture import ModelConfig
from proctor_runtime.checkpoints.digest import digest_files
from proctor_runtime.checkpoints.hugging_face.architecture import Architecture
from proctor_runtime.checkpoints.hugging_face.fields import Fields, read_fields
from proctor_runtime.checkpoints.hugging_face.gpt2 import GPT2
from proctor_runtime.checkpoints.hugging_face.llama import LLAMA, MISTRAL, QWEN2, QWEN3
from proctor_runtime.checkpoints.hugging_face.moe import MIXTRAL, QWEN2_MOE, QWEN3_MOE
from proctor_runtime.checkpoints.hugging_face.recipes import Recipe, Share, Vocabulary
from proctor_runtime.checkpoints.hugging_face.tensors import INDEX, Tensors, weight_files
from proctor_runtime.failure import RejectedError

ARCHITECTURES: dict[str, Architecture] = {
    "gpt2": GPT2,
    "llama": LLAMA,
    "mistral": MISTRAL,
    "mixtral": MIXTRAL,
    "qwen2": QWEN2,
    "qwen2_moe": QWEN2_MOE,
    "qwen3": QWEN3,
    "qwen3_moe": QWEN3_MOE,
}

VOCABULARY_MULTIPLE = 128
"""Megatron-LM's default, which suits matrix units."""
NAMED = 5
"""Tensors that an error lists."""


def read_config(root: Path, *, tensor: int) -> ModelConfig:
    """Read the architecture; refuse it if its tensors are not those that it should have."""
    fields = read_fields(root)
    architecture = architecture_of(fields)
    config = padded(architecture.config(fields), tensor)
    check_tensors(architecture, config, Tensors(root, architecture.prefix), root)
    return config


def architecture_of(fields: Fields) -> Architecture:
    """Find what is known of a model's type; refuse what is not known or not known to be whole."""
    kind = fields.get("model_type")
    if kind not in ARCHITECTURES:
        raise unsupported(f"model_type is {kind!r}; supported: {', '.join(ARCHITECTURES)}")
    architecture = ARCHITECTURES[kind]
    classes = fields.get("architectures") or [architecture.model_class]
    if architecture.model_class not in classes:
        raise unsupported(
            f"architectures is {classes}; supported for {kind}: {architecture.model_class}"
        )
    if quantization := fields.get("quantization_config"):
        method = quantization.get("quant_method") if isinstance(quantization, dict) else None
        raise unsupported(f"the weights are quantized ({method}); supported: unquantized weights")
    return architecture


def unsupported(what: str) -> RejectedError:
    """Make the error for a model that is not served."""
    return RejectedError(Reason.CHECKPOINT_UNSUPPORTED, f"config.json: {what}")


def padded(config: ModelConfig, tensor: int) -> ModelConfig:
    """Let the vocabulary grow until `tensor` ranks can share it."""
    multiple = lcm(VOCABULARY_MULTIPLE, tensor)
    return replace(config, padded_vocab_size=-(-config.vocab_size // multiple) * multiple)


def check_tensors(
    architecture: Architecture, config: ModelConfig, tensors: Tensors, root: Path
) -> None:
    """Refuse tensors that are missing, and such as would be left out: they would change results."""
    recipes = architecture.recipes(config).values()
    expected = {source.name for recipe in recipes for source in recipe.sources}
    tied = () if config.untie_embeddings_and_output_weights else ("lm_head.weight",)
    ignored = (*architecture.ignored, *tied)
    if missing := expected - tensors.names:
        raise RejectedError(
            Reason.CHECKPOINT_CORRUPT, f"{root} is incomplete: it has no {listed(missing)}"
        )
    check_vocabulary(recipes, config, tensors)
    if surplus := {name for name in tensors.names - expected if not name.endswith(ignored)}:
        raise RejectedError(
            Reason.CHECKPOINT_UNSUPPORTED,
            f"{root} has tensors that are no part of a {architecture.model_class}:"
            f" {listed(surplus)}",
        )


def check_vocabulary(recipes: Iterable[Recipe], config: ModelConfig, tensors: Tensors) -> None:
    """Refuse a vocabulary with fewer tokens than it should have: the rest would become padding."""
    sources = [s for recipe in recipes if isinstance(recipe, Vocabulary) for s in recipe.sources]
    for source in sources:
        if (rows := source.rows(tensors)) < config.vocab_size:
            raise RejectedError(
                Reason.CHECKPOINT_CORRUPT,
                f"{source.name} has {rows} tokens, where config.json says vocab_size="
                f"{config.vocab_size}; save the model again with save_pretrained",
            )


def listed(names: set[str]) -> str:
    """Name some tensors."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(islice(sorted(names), NAMED)) + more


def load(model: Any, root: Path) -> None:
    """Fill this rank's share of `model`, reading no other's."""
    from proctor_runtime.checkpoints.hugging_face.placement import Placement  # noqa: PLC0415 - Megatron is slow

    placement = Placement.of(model)
    config = read_config(root, tensor=placement.tensor.ways)
    architecture = architecture_of(read_fields(root))
    recipes, tensors = architecture.recipes(config), Tensors(root, architecture.prefix)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            recipe = recipes[placement.name_in_whole(name)]
            parameter.copy_(made(recipe, tensors, placement.share(name), parameter.shape))


def made(recipe: Recipe, tensors: Tensors, share: Share, shape: torch.Size) -> torch.Tensor:
    """Make a parameter; refuse one that is not as large as config.json says."""
    names = ", ".join(source.name for source in recipe.sources)
    try:
        part = recipe.make(tensors, share)
    except (SafetensorError, RuntimeError, IndexError) as error:
        raise RejectedError(
            Reason.CHECKPOINT_CORRUPT, f"{names} cannot be read: {error}"
        ) from error
    if part.shape != shape:
        raise RejectedError(
            Reason.CHECKPOINT_CORRUPT,
            f"{names} make a part of {list(part.shape)} of this rank's, where config.json asks for"
            f" {list(shape)}",
        )
    return part


def digest(root: Path) -> str:
    """Hash the configuration and the weights."""
    files = [root / "config.json", *weight_files(root)]
    index = root / INDEX
    return digest_files(root, [*files, index] if index.is_file() else files)
