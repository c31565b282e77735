"""The options of NeMo's model classes in the words of Megatron-LM's arguments."""

from collections.abc import Mapping
from typing import Any

from proctor_crds.reasons import Reason
from proctor_runtime.failure import RejectedError

MODELS = ("GPTModel", "LlamaModel", "MistralModel", "MixtralModel", "Qwen2Model", "Qwen3Model")
"""Classes that compute what Megatron-Core's GPT does, and nothing around it."""

LAYERS = (
    "default_layer_spec",
    "local_layer_spec",
    "transformer_engine_layer_spec",
)
"""Functions that make Megatron-Core's ordinary layers, with or without Transformer Engine."""

NAMES = {
    "seq_length": "max_position_embeddings",
    "seq_len_interpolation_factor": "rotary_seq_len_interpolation_factor",
    "bias_activation_fusion": "bias_gelu_fusion",
    # Only the classes of Llama 3.1 and later have it, and they always use it.
    "scale_factor": "rope_scaling_factor",
}
"""Options that Megatron-LM calls otherwise; the rest have the same name."""

ACTIVATIONS: dict[tuple[str, bool], dict[str, bool]] = {
    ("silu", True): {"swiglu": True},
    ("gelu", False): {},
    ("openai_gelu", False): {"openai_gelu": True},
}
"""What a function and whether it is gated are in Megatron-LM's words."""


def megatron_options(model: Mapping[str, Any]) -> dict[str, Any]:
    """Translate ``model.yaml``; refuse a class, layers or an activation that is not known."""
    refuse_unknown("model", target(model), MODELS)
    given: dict[str, Any] = dict(model["config"])
    if given.get("use_transformer_engine_full_layer_spec"):
        raise unsupported("use_transformer_engine_full_layer_spec is true; supported: false")
    if spec := given.pop("transformer_layer_spec", None):
        refuse_unknown("transformer_layer_spec", target(spec), LAYERS)
    options: dict[str, Any] = {NAMES.get(name, name): value for name, value in given.items()}
    options["use_rope_scaling"] = "scale_factor" in given
    options["untie_embeddings_and_output_weights"] = not given.get(
        "share_embeddings_and_output_weights", True
    )
    return options | activation(given)


def activation(given: Mapping[str, Any]) -> dict[str, bool]:
    """Translate the feed-forward network's activation."""
    name = target(given.get("activation_func")).rpartition(".")[2]
    gated = bool(given.get("gated_linear_unit"))
    if (name, gated) not in ACTIVATIONS:
        supported = ", ".join(f"{n}{' gated' if g else ''}" for n, g in ACTIVATIONS)
        raise unsupported(
            f"activation_func is {name or 'unknown'}{' gated' if gated else ''}; supported:"
            f" {supported}"
        )
    return ACTIVATIONS[name, gated]


def target(value: Any) -> str:
    """Return the class or function that a value stands for, where it stands for one."""
    return str(value.get("_target_", "")) if isinstance(value, dict) else ""


def refuse_unknown(what: str, found: str, known: tuple[str, ...]) -> None:
    """Refuse a class or function of NeMo, or of anybody else, that is not known."""
    module, _, name = found.rpartition(".")
    if name not in known or not module.startswith("nemo."):
        raise unsupported(f"{what} is {found or 'not named'}; supported: {', '.join(known)}")


def unsupported(what: str) -> RejectedError:
    """Make the error for a model that is not served."""
    return RejectedError(Reason.CHECKPOINT_UNSUPPORTED, f"context/model.yaml: {what}")
