"""`python -m tests.gpu.random_model FOLDER CONFIGURATION`: a checkpoint of random weights.

In a process of its own, for Megatron-Core's saving spawns another.
"""

import json
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

from tests.gpu.answers import Configuration
from tests.runtime.conftest import TINY, write_checkpoint

SIZES = {
    # 0.9 billion weights: enough that a GPU computes rather than waits to be told what.
    "cuda": {
        "num_layers": 16,
        "hidden_size": 2048,
        "num_attention_heads": 16,
        "num_query_groups": 8,
        "ffn_hidden_size": 6144,
        "max_position_embeddings": 1024,
    },
    "cpu": {"max_position_embeddings": 1024},
}


def random_model(folder: Path, device: str) -> None:
    """Write a model of the size that suits the device."""
    subprocess.run(
        [sys.executable, "-m", __spec__.name, folder, json.dumps(SIZES[device])],
        env=Configuration("cpu").environment,
        check=True,
    )


if __name__ == "__main__":
    write_checkpoint(Path(sys.argv[1]), Namespace(**{**vars(TINY), **json.loads(sys.argv[2])}))
