"""The demonstration: a small Megatron-Core GPT that has learned most of two-digit arithmetic."""
