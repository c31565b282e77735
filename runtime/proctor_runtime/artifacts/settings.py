"""What the pod tells `resume` and `keep`; the credentials are in the environment."""

import argparse
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class ArtifactsSettings:
    """Everything that either needs to know."""

    command: str
    """`resume` fetches what an earlier pod left; `keep` stores what this one makes."""
    location: str
    endpoint: str | None
    folder: Path
    port: int
    """Where `keep` is asked to store everything now."""


def add_artifacts_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of both, the same as the pod's."""
    add = parser.add_argument
    add("--location", required=True, help="s3://bucket/prefix")
    add("--endpoint", help="URL of an S3-compatible server")
    add("--folder", type=Path, required=True, help="folder of the artifacts")
