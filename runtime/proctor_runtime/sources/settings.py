"""What the pod tells `fetch`: arguments for the source, environment for the secrets."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SMALLEST_PART = 1 << 20
"""In bytes; what is no longer is asked for at once."""


@dataclass(frozen=True, kw_only=True)
class FetchSettings:
    """Everything that `fetch` needs to know."""

    source: str
    location: str
    endpoint: str | None
    revision: str
    sha256: str | None
    checkpoint_format: str
    to: Path
    part_mib: int
    token: str | None

    @classmethod
    def from_arguments(
        cls, given: Mapping[str, Any], environment: Mapping[str, str]
    ) -> "FetchSettings":
        """Take the token, for all sources but S3, whose client knows where its own are."""
        return cls(**given, token=environment.get("SOURCE_TOKEN") or None)


def add_fetch_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare `fetch`'s arguments, the same as the pod's."""
    add = parser.add_argument
    add("--source", choices=["s3", "http", "hf"], required=True)
    add("--location", required=True, help="s3://bucket/prefix, URL, or organisation/model")
    add("--endpoint", help="URL of an S3-compatible server, or of a hub's mirror")
    add("--revision", default="main", help="branch, tag or commit of a Hugging Face repository")
    add("--sha256", help="digest of the archive, or of the list of files, behind an HTTP URL")
    add("--checkpoint-format", choices=["megatron", "hf", "nemo"], default="megatron")
    add("--to", type=Path, required=True, help="folder to fill")
    add("--part-mib", type=int, choices=range(1, 1025), default=16, metavar="1-1024")
