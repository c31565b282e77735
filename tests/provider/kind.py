"""kind, where Docker runs: the node that a laptop already knows how to make."""

import shutil
from pathlib import Path

from tests.provider.commands import run, stream, succeeds
from tests.provider.paths import cache

CLUSTER = "proctor"


def docker_answers() -> bool:
    """Whether a daemon is behind the docker command; the command alone says nothing."""
    return succeeds("docker", "info")


def available() -> bool:
    """Whether kind can be used here."""
    return shutil.which("kind") is not None and docker_answers()


def kubeconfig() -> Path:
    """The cluster's own file: nobody's ~/.kube/config is touched."""
    return cache() / "kind.kubeconfig"


def running() -> bool:
    """Whether the cluster exists."""
    return CLUSTER in run("kind", "get", "clusters").split()


def up() -> Path:
    """Create the cluster, where there is none."""
    kubeconfig().parent.mkdir(parents=True, exist_ok=True)
    if not running():
        target = ("--name", CLUSTER, "--kubeconfig", kubeconfig())
        stream("kind", "create", "cluster", *target, "--wait", "120s")
    return kubeconfig()


def down() -> None:
    """Delete the cluster."""
    run("kind", "delete", "cluster", "--name", CLUSTER, "--kubeconfig", kubeconfig())


def load(image: str) -> None:
    """Copy an image of the Docker daemon into the cluster."""
    stream("kind", "load", "docker-image", image, "--name", CLUSTER)
