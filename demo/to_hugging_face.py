"""Megatron checkpoint to Hugging Face Llama: an independent implementation to compare with."""

import json
import shutil
from argparse import Namespace
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from demo.llama import llama_config, llama_weights
from demo.single_process import single_process
from proctor_runtime.checkpoints import megatron
from proctor_runtime.engine.megatron.model import build_model


def convert(checkpoint: Path, tokenizer: Path, out: Path) -> None:
    """Write the model at `checkpoint` and its tokenizer as a Hugging Face folder."""
    arguments = megatron.read_args(checkpoint)
    with single_process():
        model = build_model(arguments, initialize=False)
        megatron.load(model, checkpoint)
    write_hugging_face(model, arguments, tokenizer, out)


def write_hugging_face(model: Any, arguments: Namespace, tokenizer: Path, out: Path) -> None:
    """Write a loaded model and its tokenizer as a Hugging Face folder."""
    shutil.copytree(tokenizer, out, dirs_exist_ok=True)
    weights = llama_weights(model.state_dict(), arguments)
    save_file(
        {name: weight.detach().cpu().contiguous() for name, weight in weights.items()},
        out / "model.safetensors",
        metadata={"format": "pt"},
    )
    (out / "config.json").write_text(json.dumps(llama_config(arguments, out), indent=2) + "\n")
