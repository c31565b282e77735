"""What cannot be served is refused before anything slow, with a reason and a remedy."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from proctor_runtime.checkpoints.formats import FORMATS
from proctor_runtime.failure import RejectedError
from tests.runtime.checkpoints.models import edit

Break = Callable[[Path], object]
WEIGHTS = "model.safetensors"


def without(folder: Path, tensor: str) -> None:
    tensors = load_file(folder / WEIGHTS)
    del tensors[tensor]
    save_file(tensors, folder / WEIGHTS)


def shortened(folder: Path, tensor: str) -> None:
    tensors = load_file(folder / WEIGHTS)
    tensors[tensor] = tensors[tensor][:-1].clone()
    save_file(tensors, folder / WEIGHTS)


def with_bias(folder: Path) -> None:
    bias = {"model.layers.0.self_attn.q_proj.bias": torch.zeros(64)}
    save_file(load_file(folder / WEIGHTS) | bias, folder / WEIGHTS)


def replaced(folder: Path, name: str) -> None:
    (folder / WEIGHTS).unlink()
    (folder / name).write_bytes(b"")


def indexed(folder: Path, file: str) -> None:
    places = {"weight_map": {"model.norm.weight": file}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(places))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def edited(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    model = yaml.safe_load(path.read_text())
    change(model)
    path.write_text(yaml.safe_dump(model))


HUGGING_FACE: dict[str, tuple[Break, str, str]] = {
    "empty": (lambda f: (f / "config.json").unlink(), "CheckpointNotFound", "no config.json"),
    "no weights": (lambda f: (f / WEIGHTS).unlink(), "CheckpointNotFound", "neither"),
    "pickles": (
        lambda f: replaced(f, "pytorch_model.bin"),
        "CheckpointNotFound",
        "has no safetensors; save the model again",
    ),
    "an adapter": (
        lambda f: replaced(f, "adapter_model.safetensors"),
        "CheckpointNotFound",
        "holds an adapter, not a model; merge it",
    ),
    "truncated": (lambda f: truncate(f / WEIGHTS), "CheckpointCorrupt", "cannot be read"),
    "a file is lost": (
        lambda f: indexed(f, "model-00002-of-00002.safetensors"),
        "CheckpointCorrupt",
        "it has no model-00002-of-00002.safetensors",
    ),
    "an index that leads elsewhere": (
        lambda f: indexed(f, "../model.safetensors"),
        "CheckpointCorrupt",
        "no file beside it",
    ),
    "an index without places": (
        lambda f: (f / "model.safetensors.index.json").write_text("{}"),
        "CheckpointCorrupt",
        "no usable weight_map",
    ),
    "a tensor is lost": (
        lambda f: without(f, "model.layers.1.mlp.up_proj.weight"),
        "CheckpointCorrupt",
        "it has no layers.1.mlp.up_proj.weight",
    ),
    "a token is lost": (
        lambda f: shortened(f, "model.embed_tokens.weight"),
        "CheckpointCorrupt",
        "embed_tokens.weight has 99 tokens, where config.json says vocab_size=100",
    ),
    "a tensor too many": (
        with_bias,
        "CheckpointUnsupported",
        "no part of a LlamaForCausalLM: layers.0.self_attn.q_proj.bias",
    ),
    "another architecture": (
        lambda f: edit(f, lambda fields: fields.update(model_type="gemma3")),
        "CheckpointUnsupported",
        "supported: gpt2, llama, mistral, mixtral, qwen2, qwen2_moe, qwen3, qwen3_moe",
    ),
}

NEMO: dict[str, tuple[Break, str, str]] = {
    "no context": (
        lambda f: shutil.rmtree(f / "context"),
        "CheckpointNotFound",
        "it has no context/ (there is: weights)",
    ),
    "no weights": (lambda f: shutil.rmtree(f / "weights"), "CheckpointNotFound", "no weights/"),
    "only io.json": (
        lambda f: (f / "context/model.yaml").unlink(),
        "CheckpointUnsupported",
        "io.json does not tell the whole architecture",
    ),
    "no YAML": (
        lambda f: (f / "context/model.yaml").write_text("a: [", "utf-8"),
        "CheckpointCorrupt",
        "cannot be read",
    ),
    "code in YAML": (
        lambda f: (f / "context/model.yaml").write_text("!!python/object/apply:sys.exit [1]"),
        "CheckpointCorrupt",
        "cannot be read",
    ),
    "no config": (
        lambda f: (f / "context/model.yaml").write_text("{}"),
        "CheckpointCorrupt",
        "no config of a model",
    ),
    "an adapter": (
        lambda f: (f / "weights/adapter_metadata.json").write_text("{}"),
        "CheckpointUnsupported",
        "is an adapter",
    ),
    "quantized": (
        lambda f: (f / "weights/modelopt_state").mkdir(),
        "CheckpointUnsupported",
        "is quantized",
    ),
    "another model": (
        lambda f: edited(
            f / "context/model.yaml",
            lambda model: model.update(_target_="nemo.collections.llm.gpt.model.ssm.MambaModel"),
        ),
        "CheckpointUnsupported",
        "MambaModel; supported: GPTModel, LlamaModel",
    ),
    "not NeMo's weights": (
        lambda f: shutil.copytree(
            f.parent / "megatron/iter_0000001", f / "weights", dirs_exist_ok=True
        ),
        "CheckpointCorrupt",
        "no tensor module.embedding.word_embeddings.weight",
    ),
}
CASES = [
    pytest.param(format_, *case, id=f"{format_}, {label}")
    for format_, cases in (("hf", HUGGING_FACE), ("nemo", NEMO))
    for label, case in cases.items()
]


@pytest.mark.parametrize(("format_", "break_it", "reason", "words"), CASES)
def test_what_cannot_be_served_is_refused(
    converted: Path, tmp_path: Path, format_: str, break_it: Break, reason: str, words: str
) -> None:
    shutil.copytree(converted / "llama", tmp_path / "copy")
    root = tmp_path / "copy" / format_
    FORMATS[format_].read_config(root, tensor=1)
    break_it(root)
    with pytest.raises(RejectedError) as refused:
        FORMATS[format_].read_config(root, tensor=1)
    assert (refused.value.reason, words in str(refused.value)) == (reason, True), refused.value


def test_a_nemo_1_archive_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "model.nemo"
    archive.write_bytes(b"")
    with pytest.raises(RejectedError, match="supported: the directories that NeMo 2 writes"):
        FORMATS["nemo"].read_config(archive, tensor=1)


def test_a_vocabulary_grows_until_all_ranks_can_share_it(converted: Path) -> None:
    sizes = {
        ways: FORMATS["hf"].read_config(converted / "llama/hf", tensor=ways).padded_vocab_size
        for ways in (1, 2, 3)
    }
    assert sizes == {1: 128, 2: 128, 3: 384}


def test_nemos_vocabulary_is_its_tokenizers(converted: Path) -> None:
    config = FORMATS["nemo"].read_config(converted / "llama/nemo", tensor=1)
    assert (config.vocab_size, config.padded_vocab_size) == (100, 128)
