"""The tier `node`: which cluster it is, and what one does with it."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from tests.provider import containers, kind, own_node, registry, store
from tests.provider.errors import FailedError, UnavailableError
from tests.provider.paths import node_state


class Source(StrEnum):
    """Where the cluster comes from, in order of preference."""

    GIVEN = "given by KUBECONFIG"
    KIND = "kind"
    OWN = "a node of this machine"


def choose(given: Path | None, own: Path, *, kind_available: bool) -> Source:
    """The first that can be had. KUBECONFIG naming our own node does not make it a stranger's."""
    if given and given != own:
        return Source.GIVEN
    if given is None and kind_available:
        return Source.KIND
    return Source.OWN


def given_kubeconfig(environment: Mapping[str, str] = os.environ) -> Path | None:
    """What KUBECONFIG names; a list of several files is taken by its first."""
    first = environment.get("KUBECONFIG", "").split(os.pathsep)[0]
    return Path(first).absolute() if first else None


def source() -> Source:
    """Where this machine's cluster comes from."""
    given = given_kubeconfig()
    if given == kind.kubeconfig():
        return Source.KIND
    # Looking for kind asks Docker, so it is not done where the answer cannot matter.
    look = given is None and not own_node.running()
    return choose(given, own_node.kubeconfig(), kind_available=look and kind.available())


def kubeconfig() -> Path:
    """Where the kubeconfig is, or will be."""
    match source():
        case Source.GIVEN:
            return _given()
        case Source.KIND:
            return kind.kubeconfig()
        case Source.OWN:
            return own_node.kubeconfig()


def running() -> bool:
    """Whether it is up."""
    match source():
        case Source.GIVEN:
            return True
        case Source.KIND:
            return kind.running()
        case Source.OWN:
            return own_node.running()


def up() -> Path:
    """Bring it up; returns the kubeconfig."""
    match source():
        case Source.GIVEN:
            return _given()
        case Source.KIND:
            return kind.up()
        case Source.OWN:
            return own_node.up()


def down() -> None:
    """Take down what `up` made; a given cluster is left alone."""
    match source():
        case Source.GIVEN:
            return
        case Source.KIND:
            kind.down()
        case Source.OWN:
            own_node.down()


def load_image(name: str) -> None:
    """Make an image that was built here available to pods, by its plain name."""
    match source():
        case Source.GIVEN:
            raise UnavailableError(
                "KUBECONFIG names a cluster whose registry is unknown here: push the image "
                "yourself, or unset KUBECONFIG for a cluster of this machine"
            )
        case Source.KIND:
            kind.load(name)
        case Source.OWN:
            _load_into_own_node(name)


@contextmanager
def node() -> Iterator[Path]:
    """A cluster on which pods run, left as it was found: up or down."""
    was_running = running()
    try:
        yield up()
    finally:
        if not was_running:
            down()


def _load_into_own_node(name: str) -> None:
    if not own_node.running():
        raise FailedError("the node is not up: python -m tests.provider up")
    if kind.docker_answers():
        store.buildah("pull", "--quiet", f"docker-daemon:{name}")
    if store.image_id(name) is None:
        raise FailedError(f"{name} was not built here: python -m tests.provider build-image {name}")
    registry.push(name)
    image = store.qualified(name)
    if not containers.has(node_state(), image, registry.manifest_digest(name)):
        containers.pull(node_state(), image)


def _given() -> Path:
    path = given_kubeconfig()
    if not path or not path.exists():
        raise UnavailableError(f"KUBECONFIG names {path}, which does not exist")
    return path
