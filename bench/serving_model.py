"""A model of five million random parameters, and a tokenizer learnt from this repository."""

from argparse import Namespace
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from tests.runtime.conftest import write_checkpoint

VOCABULARY = 4096
LONGEST = 1024

MODEL = Namespace(
    num_layers=4,
    hidden_size=256,
    num_attention_heads=8,
    group_query_attention=True,
    num_query_groups=4,
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


def write_tokenizer(folder: Path) -> None:
    """Learn a byte-level vocabulary from the repository's own text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train([str(path) for path in sorted(Path().rglob("*.py"))], trainer)
    special = {"bos_token": "<s>", "eos_token": "</s>"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder)
