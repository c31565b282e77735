"""Checkpoints come from strangers, and a pickle can run code: allow the types that data needs.

PyTorch's ``weights_only`` loader guards ``common.pt`` and the tensors; the index of the tensors
(``.metadata``) is read by an ordinary unpickler, so it is tried here first with a guarded one.
"""

import enum
import importlib
import io
import pickle
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

import torch

from proctor_crds.reasons import Reason
from proctor_runtime.failure import RejectedError

PLAIN_DATA_OF = ("torch.distributed.checkpoint.", "megatron.core.dist_checkpointing.")
"""Packages whose dataclasses and enums make up an index; making one runs nothing."""

TRUSTED = {
    "torch": {"Size", "device"},
    "torch.serialization": {"_get_layout"},
    "builtins": {"set", "frozenset", "slice"},
    "collections": {"OrderedDict", "defaultdict"},
    "pathlib": {"Path", "PosixPath", "PurePosixPath"},
}


class GuardedUnpickler(pickle.Unpickler):
    """Finds plain data types of trusted modules and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Return the type, or refuse to look at it."""
        known = module in TRUSTED or module == "torch" or module.startswith(PLAIN_DATA_OF)
        # A dotted name would reach through a trusted module into what it imports.
        found = super().find_class(module, name) if known and "." not in name else None
        if name in TRUSTED.get(module, ()) or isinstance(found, torch.dtype):
            return found
        if isinstance(found, type) and (is_dataclass(found) or issubclass(found, enum.Enum)):
            return found
        raise pickle.UnpicklingError(f"it refers to {module}.{name}, which no checkpoint needs")


def read_index(index: Path) -> dict[str, Any]:
    """Return what an index says of each tensor; refuse one that names anything but data."""
    try:
        found = GuardedUnpickler(io.BytesIO(index.read_bytes())).load()
        tensors: dict[str, Any] = found.state_dict_metadata
    except Exception as error:  # a broken pickle raises almost anything
        raise RejectedError(
            Reason.CHECKPOINT_CORRUPT, f"{index} cannot be read: {error}"
        ) from error
    return tensors


COMMON = {
    "argparse.Namespace",
    "types.SimpleNamespace",
    "pathlib.PosixPath",
    "pathlib.PurePosixPath",
    "megatron.core.enums.ModelType",
    "megatron.core.transformer.enums.AttnBackend",
}
"""The types besides tensors that Megatron-LM's arguments contain."""


def safe_common_types(common: Path) -> list[Any]:
    """Import those of the known types that the file names, for PyTorch's guarded loader."""
    named = torch.serialization.get_unsafe_globals_in_checkpoint(common)
    split = [name.rpartition(".") for name in named if name in COMMON]
    return [getattr(importlib.import_module(module), name) for module, _, name in split]
