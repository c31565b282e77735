"""Architectures without weights."""

from proctor_runtime.checkpoints.architecture import ModelConfig

DENSE = ModelConfig(
    num_layers=6,
    hidden_size=64,
    num_attention_heads=8,
    num_query_groups=4,
    kv_channels=8,
    ffn_hidden_size=176,
    padded_vocab_size=128,
    vocab_size=100,
    max_position_embeddings=256,
)
