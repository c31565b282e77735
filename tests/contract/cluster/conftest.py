"""One suite for every `Cluster`: an implementation joins it by an entry in IMPLEMENTATIONS."""

import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.cluster.subjects import IMPLEMENTATIONS, NEEDS, Opening, Subject
from tests.kube import Kubectl
from tests.provider import UnavailableError, base_image, binary
from tests.provider import cluster as provider
from tests.provider.skipping import skip_unless_available

CONNECT_SECONDS = 5


def pytest_configure(config: pytest.Config) -> None:
    for name, meaning in NEEDS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test runs on every implementation that meets its needs: none is there to be skipped."""
    if "opening" not in metafunc.fixturenames:
        return
    needs = {mark.name for mark in metafunc.definition.iter_markers()} & NEEDS.keys()
    able = [
        pytest.param(name, marks=each.marks)
        for name, each in IMPLEMENTATIONS.items()
        if needs <= each.meets
    ]
    metafunc.parametrize("opening", able, indirect=True)


@pytest.fixture
def opening(request: pytest.FixtureRequest) -> Opening:
    """The way into the implementation under test; what it takes lasts for the session."""
    return IMPLEMENTATIONS[request.param].open(request)


@pytest.fixture
async def subject(opening: Opening) -> AsyncIterator[Subject]:
    async with opening as opened:
        yield opened


@pytest.fixture(scope="session")
def python_image(node_kubeconfig: Path) -> str:
    """An image with Python that the node has, or can pull from where everybody does."""
    if provider.source() is provider.Source.OWN:
        with skip_unless_available():
            base_image.ensure()
            provider.load_image(base_image.NAME)
    return base_image.NAME


@pytest.fixture(scope="session")
def pod_network(node_kubeconfig: Path) -> None:
    """Pods can be reached from here; one that every cluster has is tried, the name server."""
    kubectl = Kubectl(binary("kubectl"), node_kubeconfig, "kube-system")
    found = kubectl.list("endpointslices", "kubernetes.io/service-name=kube-dns")[0]
    port = next(each["port"] for each in found["ports"] if each["protocol"] == "TCP")
    with skip_unless_available():
        reach(found["endpoints"][0]["addresses"][0], port)


def reach(address: str, port: int) -> None:
    """Raise `UnavailableError` where nothing can be reached there."""
    try:
        socket.create_connection((address, port), CONNECT_SECONDS).close()
    except OSError as error:
        raise UnavailableError(
            f"pods of this cluster cannot be reached from this machine ({address}:{port}: "
            f"{error}): route their addresses to the node"
        ) from error
