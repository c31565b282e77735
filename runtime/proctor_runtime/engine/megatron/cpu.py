"""What Megatron-Core 0.16 needs to run where there is no CUDA, all in one place.

Megatron-Core asks CUDA for its current device even when nothing of it lives there. None of this is
done where CUDA is available, so a GPU process runs Megatron-Core exactly as it was published.
"""

import os
from pathlib import Path

import torch

CPU = torch.device("cpu")


def accommodate() -> None:
    """Let Megatron-Core build, load, save and run a model on the CPU; no-op with CUDA."""
    if torch.cuda.is_available():
        return
    # Its KV cache and its rotary embedding are allocated on `torch.cuda.current_device()`
    # (transformer/attention.py, models/common/embeddings/rotary_pos_embedding.py).
    torch.cuda.current_device = lambda: CPU  # type: ignore[assignment,return-value]
    # dist_checkpointing.save waits for device-to-host copies (strategies/filesystem_async.py); a
    # checkpoint that never left the host has none.
    torch.cuda.synchronize = lambda device=None: None  # noqa: ARG005
    # With tied embeddings, the last pipeline stage moves its copy to CUDA to compare it with the
    # first's (models/common/language_module); here it is where it belongs already.
    torch.Tensor.cuda = lambda self, *_, **__: self  # type: ignore[method-assign]


def accommodate_dropout() -> None:
    """Use Megatron-Core's own inference RNG tracker, whose forks are no-ops: dropout is off.

    The training tracker saves and restores CUDA's generator state around each attention.
    """
    from megatron.core.tensor_parallel.random import initialize_rng_tracker  # noqa: PLC0415

    initialize_rng_tracker(use_te_rng_tracker=False, inference_rng_tracker=True)


FEW_CPUS = 2
CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def limit_threads(ranks: int) -> None:
    """Share the CPUs that this container may use among the ranks; no-op with CUDA.

    PyTorch counts the node's, and threads that wait for a CPU hold up all the others. Where there
    are enough, one is left to what feeds the engine; of two, the engine makes better use.
    """
    if torch.cuda.is_available() or "OMP_NUM_THREADS" in os.environ:
        return
    torch.set_num_threads(threads(usable_cpus(CPU_QUOTA), ranks))


def threads(cpus: int, ranks: int) -> int:
    """Return how many threads each rank gets."""
    return max(1, (cpus if cpus <= FEW_CPUS else cpus - 1) // ranks)


def usable_cpus(quota: Path) -> int:
    """Count the CPUs that the scheduler and the container's limit leave us."""
    cpus = len(os.sched_getaffinity(0))
    try:
        limit, period = quota.read_text(encoding="ascii").split()
        return max(1, min(cpus, int(limit) // int(period)))
    except (OSError, ValueError):  # no cgroup v2, or its limit is the word "max"
        return cpus
