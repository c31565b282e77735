"""Rotary positions of models that stretch them: Megatron-Core knows one set of numbers only."""

import math

import torch

from proctor_runtime.checkpoints.rope import RopeScaling


def scaled(frequencies: torch.Tensor, scaling: RopeScaling) -> torch.Tensor:
    """Slow down the slow rotations; `frequencies` are in radians per position."""
    turns = scaling.original_context * frequencies / (2 * math.pi)
    low, high = scaling.low_frequency_factor, scaling.high_frequency_factor
    kept = ((turns - low) / (high - low)).clamp(0, 1)
    return kept * frequencies + (1 - kept) * frequencies / scaling.factor
