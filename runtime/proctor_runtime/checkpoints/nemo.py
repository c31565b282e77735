"""NeMo 2's checkpoints: ``context/`` says what the model is, ``weights/`` is ``torch_dist``.

``context/model.yaml`` holds every option of the model, class defaults included; it names classes of
NeMo, which are compared with the known ones and never imported. ``context/io.json`` has only what
differs from those classes' defaults, and is of no use without them.
"""

from pathlib import Path
from typing import Any

import yaml

from proctor_crds.reasons import Reason
from proctor_runtime.checkpoints import torch_dist
from proctor_runtime.checkpoints.architecture import ModelConfig
from proctor_runtime.checkpoints.digest import digest_files, files_below
from proctor_runtime.checkpoints.nemo_options import megatron_options
from proctor_runtime.checkpoints.vocabulary import count_tokens
from proctor_runtime.failure import RejectedError

PREFIX = "module."
"""What NeMo's wrapper around the model puts before the names of tensors."""
EMBEDDINGS = f"{PREFIX}embedding.word_embeddings.weight"
TOKENIZER = "nemo_tokenizer"
"""Where NeMo keeps the tokenizer in ``context/``, unless model.yaml says otherwise."""


def read_config(root: Path, *, tensor: int) -> ModelConfig:  # noqa: ARG001 - its padding is fixed
    """Read the architecture from ``context/model.yaml``, and the vocabulary's size from what is."""
    model = read_model(root)
    options = megatron_options(model)
    index = torch_dist.check_format(root / "weights")
    if EMBEDDINGS not in index:
        raise RejectedError(
            Reason.CHECKPOINT_CORRUPT, f"{root / 'weights'} has no tensor {EMBEDDINGS}"
        )
    options["padded_vocab_size"] = int(index[EMBEDDINGS].size[0])
    # Without a preset size, NeMo takes the tokenizer's and pads it.
    options["vocab_size"] = options.get("vocab_size") or count_tokens(tokenizer_folder(root, model))
    return ModelConfig.from_options(options)


def read_model(root: Path) -> dict[str, Any]:
    """Read ``model.yaml`` as plain data."""
    refuse_what_is_no_model(root)
    path = root / "context" / "model.yaml"
    try:
        model = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RejectedError(
            Reason.CHECKPOINT_UNSUPPORTED,
            f"{path.parent} has no model.yaml, and io.json does not tell the whole architecture;"
            " load and save the checkpoint once with a NeMo of 2025 or later",
        ) from error
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise RejectedError(Reason.CHECKPOINT_CORRUPT, f"{path} cannot be read: {error}") from error
    if not isinstance(model, dict) or not isinstance(model.get("config"), dict):
        raise RejectedError(Reason.CHECKPOINT_CORRUPT, f"{path} has no config of a model")
    return model


def refuse_what_is_no_model(root: Path) -> None:
    """Refuse what NeMo writes besides whole models, and what it wrote before version 2."""
    if root.is_file():
        raise RejectedError(
            Reason.CHECKPOINT_UNSUPPORTED,
            f"{root} is a file; supported: the directories that NeMo 2 writes, with context/ and"
            " weights/",
        )
    for part in ("context", "weights"):
        if not (root / part).is_dir():
            there = ", ".join(sorted(p.name for p in root.glob("*"))[:10]) or "nothing"
            raise RejectedError(
                Reason.CHECKPOINT_NOT_FOUND,
                f"no NeMo 2 checkpoint at {root}: it has no {part}/ (there is: {there})",
            )
    for name, what in (("adapter_metadata.json", "an adapter"), ("modelopt_state", "quantized")):
        if (root / "weights" / name).exists():
            raise RejectedError(
                Reason.CHECKPOINT_UNSUPPORTED,
                f"{root} is {what}; supported: whole models in full precision",
            )


def tokenizer_folder(root: Path, model: dict[str, Any]) -> Path:
    """Find the tokenizer in ``context/``; a name that leads elsewhere is not followed."""
    tokenizer = model.get("tokenizer")
    named = tokenizer.get("pretrained_model_name") if isinstance(tokenizer, dict) else None
    inside = isinstance(named, str) and Path(named).name == named and named not in ("", "..")
    return root / "context" / (str(named) if inside else TOKENIZER)


def load(model: Any, root: Path) -> None:
    """Fill this rank's share of `model`, whatever split the checkpoint was saved with."""
    torch_dist.load(model, root / "weights", PREFIX)


def digest(root: Path) -> str:
    """Hash the context and the weights."""
    return digest_files(root, [p for d in ("context", "weights") for p in files_below(root / d)])
