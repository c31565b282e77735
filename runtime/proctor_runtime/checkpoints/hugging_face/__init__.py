"""Hugging Face checkpoints: ``config.json`` and safetensors."""

from proctor_runtime.checkpoints.hugging_face.format import digest, load, read_config

__all__ = ["digest", "load", "read_config"]
