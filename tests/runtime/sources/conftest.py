"""A model's files, and the command that fetches them."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from proctor_crds.wire import Failure

LARGE = 24 << 20
"""Bytes of the largest file: enough for parts of 1 MiB to be under way while others are not."""


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a large file, some small ones and an empty one."""
    root = tmp_path_factory.mktemp("model")
    chance = random.Random(0)
    (root / "tokenizer").mkdir()
    (root / "config.json").write_text(json.dumps({"model_type": "llama"}))
    (root / "tokenizer" / "tokenizer.json").write_bytes(chance.randbytes(3000))
    (root / "tokenizer" / "empty.txt").write_bytes(b"")
    (root / "model.safetensors").write_bytes(chance.randbytes(LARGE))
    return root


def contents(root: Path) -> dict[str, bytes]:
    """Every file of a model; what `fetch` keeps for itself is none."""
    paths = [path for path in root.rglob("*") if path.is_file()]
    found = {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}
    return {name: data for name, data in found.items() if not name.startswith(".fetch/")}


class Fetch:
    """`python -m proctor_runtime fetch`, as the pod runs it."""

    def __init__(self, root: Path, *arguments: str, **environment: str) -> None:
        self.root = root
        self.last_words = root.with_name(f"{root.name}-termination-log")
        command = [sys.executable, "-m", "proctor_runtime", "fetch", *arguments, f"--to={root}"]
        kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
        words = {"TERMINATION_MESSAGE_PATH": str(self.last_words), "HOME": str(root)}
        self.process = subprocess.Popen(
            [*command, "--part-mib=1"],
            env={**kept, **words, "AWS_EC2_METADATA_DISABLED": "true", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def end(self) -> int:
        self.log, _ = self.process.communicate(timeout=120)
        return self.process.returncode

    def failure(self) -> Failure:
        return Failure.model_validate_json(self.last_words.read_text())


@pytest.fixture
def fetch(tmp_path: Path) -> Callable[..., Fetch]:
    """Begin to fetch into a folder that all of a test's processes share."""
    root = tmp_path / "volume"
    root.mkdir()
    return lambda *arguments, **environment: Fetch(root, *arguments, **environment)
