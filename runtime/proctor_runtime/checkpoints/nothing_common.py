"""Serving needs nothing of ``common.pt`` but the architecture, which is read elsewhere."""

from pathlib import Path
from typing import Any

from megatron.core.dist_checkpointing.strategies.common import TorchCommonLoadStrategy


class NothingCommon(TorchCommonLoadStrategy):  # type: ignore[misc]  # Megatron-Core is untyped
    """Loads nothing in its place, and so runs nothing that a trainer pickled there."""

    def load_common(self, checkpoint_dir: str | Path) -> dict[str, Any]:  # noqa: ARG002
        """Return no state."""
        return {}
