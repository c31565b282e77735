"""How a model stretches its rotary position embedding beyond the context that it was trained on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class RopeScaling:
    """Llama 3.1's: slow rotations are slowed by `factor`, fast ones kept, and between interpolated.

    A rotation is fast if its wavelength is below ``original_context / high_frequency_factor``
    positions, and slow if it is above ``original_context / low_frequency_factor``.
    """

    factor: float
    low_frequency_factor: float = 1.0
    high_frequency_factor: float = 4.0
    original_context: int = 8192


def from_arguments(given: Mapping[str, Any]) -> RopeScaling | None:
    """Read Megatron-LM's ``--use-rope-scaling``; all but its factor only NeMo lets be chosen."""
    if not given.get("use_rope_scaling"):
        return None
    return RopeScaling(
        factor=float(given.get("rope_scaling_factor") or 8.0),
        low_frequency_factor=float(given.get("low_freq_factor") or 1.0),
        high_frequency_factor=float(given.get("high_freq_factor") or 4.0),
        original_context=int(given.get("old_context_len") or 8192),
    )
