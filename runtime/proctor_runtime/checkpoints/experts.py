"""Mixture of experts: which layers have them, how many, and how a token is sent to some of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from proctor_crds.reasons import Reason
from proctor_runtime.failure import RejectedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Experts:
    """The experts of a model's sparse layers."""

    count: int
    per_token: int
    ffn_hidden_size: int
    layers: tuple[bool, ...]
    """Of each layer, whether its feed-forward network is made of experts."""
    normalized: bool = True
    """The weights of a token's experts add up to one (softmax after the choice, not before)."""
    shared_ffn_hidden_size: int | None = None
    """Width of the expert that every token visits besides; None if there is none."""
    shared_gate: bool = False
    """The shared expert's output is weighted by a sigmoid of the token."""
    router_dtype: str | None = None
    """``fp32`` or ``fp64`` if the router computes more precisely than the model."""

    def __post_init__(self) -> None:
        """Refuse a weight that would always be one, which Megatron-Core takes for a mistake."""
        if self.normalized and self.per_token == 1:
            raise RejectedError(
                Reason.CHECKPOINT_UNSUPPORTED,
                "the checkpoint sends each token to a single expert with a normalized weight"
                " (moe_router_topk is 1, or num_experts_per_tok); supported: more experts, or a"
                " weight that is not normalized",
            )


def from_arguments(given: Mapping[str, Any], num_layers: int, ffn: int) -> Experts | None:
    """Read Megatron-LM's ``--num-experts`` and what goes with it."""
    count = given.get("num_experts") or given.get("num_moe_experts")
    if not count:
        return None
    return Experts(
        count=int(count),
        per_token=int(given.get("moe_router_topk") or 2),
        ffn_hidden_size=given.get("moe_ffn_hidden_size") or ffn,
        layers=sparse_layers(given.get("moe_layer_freq", 1), num_layers),
        normalized=not given.get("moe_router_pre_softmax"),
        shared_ffn_hidden_size=given.get("moe_shared_expert_intermediate_size") or None,
        shared_gate=bool(given.get("moe_shared_expert_gate")),
        router_dtype=given.get("moe_router_dtype"),
    )


def sparse_layers(frequency: Any, num_layers: int) -> tuple[bool, ...]:
    """Read ``moe_layer_freq``: every n-th layer from the first, or one number for each layer."""
    if isinstance(frequency, int) and frequency >= 1:
        return tuple(layer % frequency == 0 for layer in range(num_layers))
    if isinstance(frequency, list | tuple) and len(frequency) == num_layers:
        return tuple(map(bool, frequency))
    raise RejectedError(
        Reason.CHECKPOINT_CORRUPT,
        f"moe_layer_freq is {frequency!r}; it must be a whole number or a list of {num_layers}",
    )
