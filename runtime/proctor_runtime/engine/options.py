"""How an engine is asked to work; what came of it, its `EngineInfo` says."""

import argparse
from dataclasses import dataclass
from typing import Any

from proctor_runtime.arguments import amount, boolean, positive

FEATURES = ("prefix_caching", "chunked_prefill", "cuda_graphs", "flash_decode")


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """The engine's settings, under the names of a ModelDeployment's."""

    max_batch_size: int = 32
    """Most sequences in one step."""
    kv_cache_gib: float | None = None
    """Of each rank; None for what the largest batch could need, within reason."""
    prefix_caching: bool = True
    chunked_prefill: bool = True
    cuda_graphs: bool = True
    """Where there is CUDA."""
    flash_decode: bool = True
    """Where there is CUDA."""
    step_tokens: int = 2048
    """Most tokens in one step, where prompts may be split."""


def add_engine_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the engine's arguments."""
    add = parser.add_argument
    add("--max-batch-size", type=positive, default=EngineOptions.max_batch_size)
    add("--kv-cache-gib", type=amount, help="of each rank; default: what the largest batch needs")
    for name in FEATURES:
        add(f"--{name.replace('_', '-')}", type=boolean, default=True, metavar="true|false")


def take_engine_options(given: dict[str, Any]) -> EngineOptions:
    """Remove the engine's arguments from those given, and return them."""
    names = ("max_batch_size", "kv_cache_gib", *FEATURES)
    return EngineOptions(**{name: given.pop(name) for name in names})
