"""Checkpoints of the same models in every format."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.runtime.checkpoints.models import CONVERTED, write
from tests.runtime.conftest import quiet


@pytest.fixture(scope="session")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders MODEL/hf, MODEL/megatron, MODEL/nemo, MODEL/split-gate, and logits in MODEL.pt."""
    root = tmp_path_factory.mktemp("converted")
    for model in CONVERTED:
        out = root / model
        with quiet():
            torch.save(write(model, out / "hf"), root / f"{model}.pt")
        command = [sys.executable, "-m", "tests.runtime.checkpoints.convert", out / "hf", out]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return root
