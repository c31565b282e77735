"""Megatron-Core's ``torch_dist`` folders: tensors sharded once, read at any parallel size.

``.metadata`` is the index of the tensors, ``*.distcp`` hold them, ``common.pt`` holds whatever else
the training run saved. Both NeMo and Megatron-LM write them; they differ in the tensors' prefix.
"""

import json
import pickle
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from torch.distributed.checkpoint.api import CheckpointException

from proctor_crds.reasons import Reason
from proctor_runtime.checkpoints.safety import read_index
from proctor_runtime.failure import RejectedError

NUMBERED_LAYER = re.compile(r"\.layers\.\d+\.")
GATE = "_w"
"""Ends the name of a feed-forward network's gate where it is saved apart from its values."""

UNREADABLE = (RuntimeError, KeyError, ValueError, EOFError, OSError, pickle.UnpicklingError)
"""What PyTorch raises on truncated files, absent tensors and shapes that do not match."""


def check_format(folder: Path) -> Mapping[str, Any]:
    """Refuse a folder that is not a whole ``torch_dist`` checkpoint; return its tensors' index."""
    missing = [n for n in ("common.pt", "metadata.json", ".metadata") if not (folder / n).is_file()]
    if missing:
        raise RejectedError(
            Reason.CHECKPOINT_CORRUPT, f"{folder} is incomplete: it has no {', '.join(missing)}"
        )
    try:
        backend = json.loads((folder / "metadata.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise RejectedError(
            Reason.CHECKPOINT_CORRUPT, f"{folder / 'metadata.json'} is not JSON: {error}"
        ) from error
    name = backend.get("sharded_backend") if isinstance(backend, dict) else None
    if name != "torch_dist":
        raise RejectedError(
            Reason.CHECKPOINT_CORRUPT, f"{folder} is in format {name!r}; supported: 'torch_dist'"
        )
    return read_index(folder / ".metadata")


def load(model: Any, folder: Path, prefix: str = "") -> None:
    """Fill this rank's share of `model`, whatever split the checkpoint was saved with."""
    from megatron.core import dist_checkpointing  # noqa: PLC0415 - it takes seconds to import
    from megatron.core.dist_checkpointing.core import CheckpointingException  # noqa: PLC0415

    from proctor_runtime.checkpoints.nothing_common import NothingCommon  # noqa: PLC0415

    keys = frozenset(check_format(folder))
    wanted = requested(model, keys, prefix)
    refuse_incomplete(folder, (part.key for part in wanted.values()), keys)
    try:
        state = dist_checkpointing.load(wanted, str(folder), common_strategy=NothingCommon())
        model.load_state_dict(
            {key.removeprefix(prefix): state[key] for key in wanted}, strict=False
        )
    except (CheckpointingException, CheckpointException, *UNREADABLE) as error:
        raise RejectedError(
            Reason.CHECKPOINT_CORRUPT, f"{folder} cannot be loaded: {first_line(error)}"
        ) from error


def requested(model: Any, keys: frozenset[str], prefix: str) -> dict[str, Any]:
    """List this rank's tensors as the checkpoint, whose index has `keys`, calls them.

    Objects besides tensors are not asked for: the layers that serve have no state but tensors, and
    Megatron-Core would unpickle whatever stands there.
    """
    from megatron.core.dist_checkpointing.mapping import ShardedObject  # noqa: PLC0415 - slow

    layout = {
        "non_homogeneous_layers": any(map(NUMBERED_LAYER.search, keys)),
        "singleton_local_shards": any(key.endswith(f"linear_fc1.weight{GATE}") for key in keys),
    }
    state = model.sharded_state_dict(prefix=prefix, metadata=layout)
    wanted = {key: part for key, part in state.items() if not isinstance(part, ShardedObject)}
    for part in wanted.values():
        part.key = spelt_as_saved(part.key, keys)
    return wanted


def spelt_as_saved(key: str, keys: frozenset[str]) -> str:
    """Return the name of a norm before experts, which Transformer Engine does not fuse with them.

    Megatron-Core's own layers save it under the name that it has before a dense network.
    """
    alone = key.replace("mlp.linear_fc1.layer_norm_", "pre_mlp_layernorm.")
    return alone if key not in keys and alone in keys else key


def refuse_incomplete(folder: Path, wanted: Iterable[str], keys: frozenset[str]) -> None:
    """Refuse a checkpoint without some of the tensors, naming the first."""
    missing = sorted(key for key in wanted if not {key, key + GATE} & keys)
    if missing:
        raise RejectedError(
            Reason.CHECKPOINT_CORRUPT,
            f"{folder} cannot be loaded: it has no tensor {missing[0]}"
            + (f" and {len(missing) - 1} more" if missing[1:] else ""),
        )


def first_line(error: BaseException) -> str:
    """Return what a person needs of PyTorch's multi-rank, multi-line errors."""
    if isinstance(error, CheckpointException):
        failure, _ = next(iter(error.failures.values()))
        return f"{type(failure).__name__}: {failure}".splitlines()[0]
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
