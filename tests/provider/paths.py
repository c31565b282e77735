"""Where everything lies: a cache that survives, and the state of one cluster."""

import os
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]


def cache(environment: Mapping[str, str] = os.environ) -> Path:
    """What is made once per machine: binaries, images, the node's layers."""
    given = environment.get("PROCTOR_CACHE")
    return Path(given).absolute() if given else Path.home() / ".cache" / "proctor"


def node_state() -> Path:
    """The machine's one node: cluster state, thrown away by `down`."""
    return cache() / "node"


def image_store() -> Path:
    """Base image, buildah's layers, the registry and containerd's content: kept by `down`."""
    return cache() / "images"
