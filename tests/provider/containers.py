"""The node's containerd, from outside Kubernetes."""

from pathlib import Path

from tests.provider.commands import run, succeeds


def answers(state: Path) -> bool:
    """Whether containerd serves."""
    return succeeds(*_ctr(state), "version")


def clear(state: Path) -> None:
    """Forget the containers of an earlier cluster; their processes ended with it."""
    if names := run(*_ctr(state), "containers", "list", "--quiet").split():
        run(*_ctr(state), "containers", "delete", *names)


def has(state: Path, image: str, digest: str) -> bool:
    """Whether the node's image of this name is the one with this digest."""
    return digest in run(*_ctr(state), "images", "list", f"name=={image}")


def pull(state: Path, image: str) -> None:
    """Have the node hold the registry's present image, so that a rebuilt tag is not stale.

    Layers that were unpacked need not lie there packed as well.
    """
    hosts = state / "config" / "certs.d"
    run(*_ctr(state), "images", "pull", "--hosts-dir", hosts, image)
    run(*_ctr(state), "content", "prune", "references")


def _ctr(state: Path) -> tuple[str, ...]:
    return ("ctr", f"--address={state / 'containerd.sock'}", "--namespace=k8s.io")
