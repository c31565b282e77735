"""The tensors of a safetensors checkpoint, of which only the asked parts are read."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from proctor_crds.reasons import Reason
from proctor_runtime.failure import RejectedError

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"


class Tensors:
    """Tensors by name, over one file or several; names are without `prefix`, stored with or not.

    Files stay open, mapped into memory, for as long as this lives.
    """

    def __init__(self, folder: Path, prefix: str) -> None:
        self._files = [opened(path) for path in weight_files(folder)]
        self._places = {
            name.removeprefix(prefix): (file, name)
            for file in self._files
            for name in list(file.keys())
        }
        self.names = frozenset(self._places)

    def shape(self, name: str) -> list[int]:
        """Return the whole tensor's shape."""
        shape: list[int] = self._slice(name).get_shape()
        return shape

    def read(self, name: str, *part: slice) -> torch.Tensor:
        """Read the part that the slices, one for each leading dimension, cut out."""
        tensor: torch.Tensor = self._slice(name)[part or (slice(None),)]
        return tensor

    def _slice(self, name: str) -> Any:
        file, stored = self._places[name]
        return file.get_slice(stored)


def opened(path: Path) -> Any:
    """Open one file; its header is checked against its length."""
    try:
        return safe_open(path, framework="pt", device="cpu")
    except FileNotFoundError as error:
        raise RejectedError(
            Reason.CHECKPOINT_CORRUPT, f"{path.parent} is incomplete: it has no {path.name}"
        ) from error
    except (SafetensorError, OSError) as error:
        raise RejectedError(Reason.CHECKPOINT_CORRUPT, f"{path} cannot be read: {error}") from error


def weight_files(folder: Path) -> list[Path]:
    """Find the files with the weights: those of the index, where there is one."""
    index = folder / INDEX
    if index.is_file():
        return [folder / name for name in indexed(index)]
    if (folder / SINGLE).is_file():
        return [folder / SINGLE]
    raise RejectedError(Reason.CHECKPOINT_NOT_FOUND, absence(folder))


def indexed(index: Path) -> list[str]:
    """List the files that an index names."""
    try:
        places = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
        names = sorted(set(places))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RejectedError(
            Reason.CHECKPOINT_CORRUPT, f"{index} has no usable weight_map: {error!r}"
        ) from error
    refuse_elsewhere(index, names)
    return names


def refuse_elsewhere(index: Path, names: Iterable[str]) -> None:
    """Refuse an index that points out of its folder."""
    for name in names:
        if Path(name).name != name:
            raise RejectedError(
                Reason.CHECKPOINT_CORRUPT, f"{index} names {name!r}, which is no file beside it"
            )


def absence(folder: Path) -> str:
    """Tell what is there instead of safetensors."""
    names = sorted(path.name for path in folder.glob("*") if path.is_file())
    if any(name.startswith("adapter_") for name in names):
        return f"{folder} holds an adapter, not a model; merge it into its base model first"
    if any(name.endswith((".bin", ".pt", ".pth", ".h5", ".msgpack", ".gguf")) for name in names):
        return f"{folder} has no safetensors; save the model again with save_pretrained"
    return f"no weights at {folder}: it has neither {SINGLE} nor {INDEX}"
