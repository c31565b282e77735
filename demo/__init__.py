"""The demonstration: a small Megatron-Core GPT that has learned most of two-digit arithmetic."""

from pathlib import Path

ARITHMETIC = Path(__file__).parent / "arithmetic"
"""The shipped model, its tokenizer and its tasks, laid out as a model volume."""
