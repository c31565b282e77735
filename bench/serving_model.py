"""A model of five million random parameters, and a tokenizer learnt from this repository."""

import json
import multiprocessing as mp
from argparse import Namespace
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from demo.to_hugging_face import convert
from tests.runtime.conftest import write_checkpoint

VOCABULARY = 4096
SPECIAL = ("<s>", "</s>", "<pad>")
LONGEST = 1024
PARTS = ("bench", "cli", "crds", "demo", "operator", "runtime", "tests")

MODEL = Namespace(
    num_layers=4,
    hidden_size=256,
    num_attention_heads=8,
    group_query_attention=True,
    num_query_groups=4,
    kv_channels=32,
    ffn_hidden_size=688,
    normalization="RMSNorm",
    norm_epsilon=1e-5,
    swiglu=True,
    add_bias_linear=False,
    untie_embeddings_and_output_weights=True,
    position_embedding_type="rope",
    rotary_base=10000,
    vocab_size=VOCABULARY,
    padded_vocab_size=VOCABULARY,
    max_position_embeddings=LONGEST,
)


def write_model(folder: Path) -> None:
    """Write ``checkpoint`` and ``tokenizer`` below `folder`."""
    write_checkpoint(folder / "checkpoint", MODEL)
    write_tokenizer(folder / "tokenizer")


def write_twins(folder: Path) -> None:
    """Write the model, and once more as ``hugging-face`` for transformers.

    In another process: see `bench.in_process_hf` for what a used PyTorch would cost this one.
    """
    with ProcessPoolExecutor(1, mp.get_context("spawn")) as process:
        process.submit(write_both, folder).result()


def write_both(folder: Path) -> None:
    """Write the model for us and for transformers."""
    write_model(folder)
    convert(folder / "checkpoint", folder / "tokenizer", folder / "hugging-face")


def words(folder: Path) -> list[str]:
    """Return texts that are one token each, wherever they stand."""
    vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    plain = [piece for piece in vocabulary if piece[0] == "Ġ" and piece[1:].isascii()]
    return [f" {piece[1:]}" for piece in plain if piece[1:].isalpha()]


def write_tokenizer(folder: Path) -> None:
    """Learn a byte-level vocabulary from the repository's own text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train([str(path) for path in sources()], trainer)
    special = dict(zip(("bos_token", "eos_token", "pad_token"), SPECIAL, strict=True))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder)


def sources() -> list[Path]:
    """Return the repository's own Python files; its environment's are not among them."""
    root = Path(__file__).parents[1]
    return sorted(path for part in PARTS for path in (root / part).rglob("*.py"))
