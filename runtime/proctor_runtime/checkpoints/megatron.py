"""Megatron-LM's checkpoints, in format ``torch_dist``.

A checkpoint is a folder with ``latest_checkpointed_iteration.txt`` and ``iter_0000001/``-like
folders; the iteration folder may also be given itself. In it ``common.pt`` holds the arguments of
the training run, which say what the architecture is; the tensors are beside it.
"""

import pickle
from argparse import Namespace
from pathlib import Path
from typing import Any

import torch

from proctor_crds.reasons import Reason
from proctor_runtime.checkpoints import torch_dist
from proctor_runtime.checkpoints.architecture import ModelConfig
from proctor_runtime.checkpoints.digest import digest_files, files_below
from proctor_runtime.checkpoints.safety import safe_common_types
from proctor_runtime.failure import RejectedError

LATEST = "latest_checkpointed_iteration.txt"
VERSION = 3.0
"""The ``checkpoint_version`` of every Megatron-LM since 2021."""


def iteration_folder(root: Path) -> Path:
    """Find the folder with the tensors: the latest iteration's, or `root` if it is one itself."""
    if (root / "common.pt").is_file():
        return root
    latest = root / LATEST
    if not latest.is_file():
        raise RejectedError(
            Reason.CHECKPOINT_NOT_FOUND, f"no Megatron checkpoint at {root}: it has no {LATEST}"
        )
    label = latest.read_text(encoding="utf-8").strip()
    if label != "release" and not label.isdecimal():
        raise RejectedError(
            Reason.CHECKPOINT_CORRUPT, f"{latest} says {label[:40]!r}, which is no iteration"
        )
    folder = root / (label if label == "release" else f"iter_{int(label):07d}")
    if not folder.is_dir():
        raise RejectedError(
            Reason.CHECKPOINT_NOT_FOUND, f"{latest} points to {folder.name}, which does not exist"
        )
    return folder


def read_config(root: Path, *, tensor: int) -> ModelConfig:  # noqa: ARG001 - its padding is fixed
    """Read the architecture from the training run's arguments."""
    return ModelConfig.from_args(read_args(root))


def read_args(root: Path) -> Namespace:
    """Read the training run's arguments, executing nothing that the file contains."""
    folder = iteration_folder(root)
    torch_dist.check_format(folder)
    try:
        with torch.serialization.safe_globals(safe_common_types(folder / "common.pt")):
            common = torch.load(folder / "common.pt", map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, OSError) as error:
        raise RejectedError(
            Reason.CHECKPOINT_CORRUPT, f"{folder / 'common.pt'} cannot be read: {error}"
        ) from error
    args = common.get("args") if isinstance(common, dict) else None
    if not isinstance(args, Namespace):
        raise RejectedError(
            Reason.CHECKPOINT_CORRUPT, f"{folder / 'common.pt'} has no training arguments (args)"
        )
    return args


def load(model: Any, root: Path) -> None:
    """Fill this rank's share of `model`, whatever split the checkpoint was saved with."""
    torch_dist.load(model, iteration_folder(root))


def digest(root: Path) -> str:
    """Hash the iteration that is served."""
    folder = iteration_folder(root)
    return digest_files(folder, files_below(folder))


def save(model: Any, args: Namespace, root: Path, iteration: int = 1) -> Path:
    """Write `model` as Megatron-LM would; every rank must call it. Return the iteration's folder.

    The caller's module needs an ``if __name__ == "__main__"`` guard: saving spawns a process.
    """
    from megatron.core import dist_checkpointing  # noqa: PLC0415 - it takes seconds to import

    folder = root / f"iter_{iteration:07d}"
    folder.mkdir(parents=True, exist_ok=True)
    common = {"args": args, "checkpoint_version": VERSION, "iteration": iteration}
    dist_checkpointing.save({**model.sharded_state_dict(), **common}, str(folder))
    (root / LATEST).write_text(str(iteration), encoding="utf-8")
    return folder
