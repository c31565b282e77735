"""The model's architecture, under the names that Megatron-LM gives its arguments."""

from argparse import Namespace

from demo.tokenizer import VOCABULARY_SIZE

TRAINED_LENGTH = 64
"""Tokens of one row of training data."""


def arguments(seed: int) -> Namespace:
    """Return what Megatron-LM would store of this training run in the checkpoint.

    Four heads in two groups, two layers, and a vocabulary that needs no padding: it
    divides by tensor and pipeline sizes of 2, and by no 3.
    """
    return Namespace(
        num_layers=2,
        hidden_size=128,
        num_attention_heads=4,
        group_query_attention=True,
        num_query_groups=2,
        kv_channels=32,
        ffn_hidden_size=352,
        swiglu=True,
        normalization="RMSNorm",
        norm_epsilon=1e-5,
        add_bias_linear=False,
        add_qkv_bias=False,
        untie_embeddings_and_output_weights=True,
        position_embedding_type="rope",
        rotary_base=10000,
        rotary_percent=1.0,
        # Rotary positions have no table to run out of; lm-eval's clients assume 2048.
        max_position_embeddings=2048,
        seq_length=TRAINED_LENGTH,
        vocab_size=VOCABULARY_SIZE,
        padded_vocab_size=VOCABULARY_SIZE,
        make_vocab_size_divisible_by=4,
        tokenizer_type="HuggingFaceTokenizer",
        tensor_model_parallel_size=1,
        pipeline_model_parallel_size=1,
        bf16=False,
        fp16=False,
        seed=seed,
    )
