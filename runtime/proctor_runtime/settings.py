"""What the pod tells this process: arguments for the model, environment for the addresses."""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from proctor_runtime.arguments import positive
from proctor_runtime.artifacts.settings import ArtifactsSettings, add_artifacts_arguments
from proctor_runtime.engine.megatron.parallelism import Parallelism
from proctor_runtime.engine.options import (
    EngineOptions,
    add_engine_arguments,
    take_engine_options,
)
from proctor_runtime.openai.options import ApiOptions, add_api_arguments, take_api_options
from proctor_runtime.sources.settings import FetchSettings, add_fetch_arguments


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """Where to listen."""

    bind: str
    http: int
    triton_http: int
    triton_grpc: int
    triton_metrics: int

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Addresses":
        """Read the ports that the pod gives its containers."""
        return cls(
            bind=environment.get("BIND_ADDRESS", "127.0.0.1"),
            http=int(environment.get("PORT_HTTP", "8080")),
            triton_http=int(environment.get("PORT_TRITON_HTTP", "8000")),
            triton_grpc=int(environment.get("PORT_TRITON_GRPC", "8001")),
            triton_metrics=int(environment.get("PORT_TRITON_METRICS", "8002")),
        )


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that `serve` needs to know."""

    checkpoint: Path
    checkpoint_format: str
    tokenizer: Path
    served_model_name: str
    transport: str
    parallelism: Parallelism
    max_sequence_length: int
    dtype: str
    random_seed: int
    engine: EngineOptions
    api: ApiOptions
    addresses: Addresses


def add_serve_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare `serve`'s arguments, the same as the pod's."""
    add = parser.add_argument
    add("--checkpoint", type=Path, required=True, help="checkpoint folder")
    add("--checkpoint-format", choices=["megatron", "hf", "nemo"], default="megatron")
    add("--tokenizer", type=Path, required=True, help="Hugging Face tokenizer folder")
    add("--served-model-name", required=True, help="the name that requests put in `model`")
    add("--transport", choices=["triton", "in-process"], default="triton")
    add_parallelism_arguments(parser)
    add("--max-sequence-length", type=positive, default=2048)
    add("--dtype", choices=["float32", "bfloat16", "float16"], default="float32")
    add("--random-seed", type=int, default=1234)
    add_engine_arguments(parser)
    add_api_arguments(parser)


def add_parallelism_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare how the model is split; ranks are tensor × pipeline × context."""
    add = parser.add_argument
    add("--tensor-parallel", type=positive, default=1)
    add("--pipeline-parallel", type=positive, default=1)
    add("--context-parallel", type=positive, default=1)
    add("--expert-parallel", type=positive, default=1)
    add("--expert-tensor-parallel", type=positive, help="default: tensor, or 1 with expert")
    add("--sequence-parallel", action="store_true")


def take_parallelism(given: dict[str, Any]) -> Parallelism:
    """Take the split out of the parsed arguments."""
    return Parallelism(
        **{axis.name: given.pop(f"{axis.name}_parallel") for axis in fields(Parallelism)}
    )


def parse(arguments: Sequence[str] | None = None) -> Settings | FetchSettings | ArtifactsSettings:
    """Read the command line and the environment."""
    parser = argparse.ArgumentParser("proctor_runtime", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    add_serve_arguments(commands.add_parser("serve", allow_abbrev=False))
    add_fetch_arguments(commands.add_parser("fetch", allow_abbrev=False))
    for command in ("resume", "keep"):
        add_artifacts_arguments(commands.add_parser(command, allow_abbrev=False))
    given = vars(parser.parse_args(arguments))
    if given["command"] in ("resume", "keep"):
        return ArtifactsSettings(**given, port=int(os.environ.get("PORT_ARTIFACTS", "9300")))
    if given.pop("command") == "fetch":
        return FetchSettings.from_arguments(given, os.environ)
    engine, api = take_engine_options(given), take_api_options(given, os.environ)
    split = take_parallelism(given)
    addresses = Addresses.from_environment(os.environ)
    return Settings(**given, parallelism=split, engine=engine, api=api, addresses=addresses)
