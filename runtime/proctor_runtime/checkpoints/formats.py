"""The formats that a checkpoint may have: one module each."""

from pathlib import Path
from typing import Any, Protocol

from proctor_runtime.checkpoints import hugging_face, megatron, nemo
from proctor_runtime.checkpoints.architecture import ModelConfig


class Format(Protocol):
    """What serving needs of a checkpoint. All raise `RejectedError` for one that cannot be used."""

    def read_config(self, root: Path, *, tensor: int) -> ModelConfig:
        """Read the architecture, with a vocabulary that `tensor` ranks can share if it may grow."""
        ...

    def load(self, model: Any, root: Path) -> None:
        """Fill this rank's share of `model`, reading no other's."""
        ...

    def digest(self, root: Path) -> str:
        """Hash the files that the model is made from."""
        ...


FORMATS: dict[str, Format] = {"megatron": megatron, "hf": hugging_face, "nemo": nemo}
