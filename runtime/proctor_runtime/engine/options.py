"""How an engine is asked to work; what came of it, its `EngineInfo` says."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
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
