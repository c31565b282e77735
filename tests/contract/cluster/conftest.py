"""One suite for every `Cluster`: an implementation joins it by an entry in IMPLEMENTATIONS."""

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from proctor_cli.local import LocalCluster
from proctor_operator.cluster import Cluster

NEEDS = {
    "needs_controllers": "needs what kube-controller-manager does: cascading deletion",
    "needs_node": "needs a node on which pods run",
}


@dataclass(frozen=True)
class Subject:
    """A cluster under test, a namespace that is the test's own, and an image with Python."""

    cluster: Cluster
    namespace: str
    image: str = "proctor/runtime:contract"


@dataclass(frozen=True)
class Implementation:
    """How to come by a cluster for one test, given a directory; and which NEEDS it meets."""

    open: Callable[[Path], AbstractAsyncContextManager[Subject]]
    meets: frozenset[str]
    marks: tuple[pytest.MarkDecorator, ...] = ()


@asynccontextmanager
async def local(directory: Path) -> AsyncIterator[Subject]:
    subject = "proctor/runtime:contract"
    async with LocalCluster(
        directory, images={subject: Path(sys.executable)}, gpus=0, backoff_seconds=0.05
    ) as cluster:
        yield Subject(cluster, "default", subject)


IMPLEMENTATIONS = {"local": Implementation(local, frozenset(NEEDS))}


def pytest_configure(config: pytest.Config) -> None:
    for name, meaning in NEEDS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test runs on every implementation that meets its needs: none is there to be skipped."""
    if "subject" not in metafunc.fixturenames:
        return
    needs = {mark.name for mark in metafunc.definition.iter_markers()} & NEEDS.keys()
    able = [
        pytest.param(name, marks=each.marks)
        for name, each in IMPLEMENTATIONS.items()
        if needs <= each.meets
    ]
    metafunc.parametrize("subject", able, indirect=True)


@pytest.fixture
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Subject]:
    async with IMPLEMENTATIONS[request.param].open(tmp_path) as opened:
        yield opened
