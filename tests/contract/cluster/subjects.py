"""What the suite is held against: every `Cluster`, and how to come by one for a test."""

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from proctor_cli.local import LocalCluster
from proctor_operator.cluster import Cluster
from proctor_operator.kubernetes_cluster import KubernetesCluster
from tests.kube import Kubectl
from tests.provider import binary

NEEDS = {
    "needs_controllers": "needs what kube-controller-manager does: cascading deletion",
    "needs_node": "needs a node on which pods run",
    "needs_pod_network": "calls pods from outside the cluster",
}


@dataclass(frozen=True)
class Subject:
    """A cluster under test, a namespace that is the test's own, and an image with Python."""

    cluster: Cluster
    namespace: str
    image: str = "proctor/runtime:contract"


Opening = AbstractAsyncContextManager[Subject]


@dataclass(frozen=True)
class Implementation:
    """How to open one for a test, and which NEEDS it meets."""

    open: Callable[[pytest.FixtureRequest], Opening]
    meets: frozenset[str]
    marks: tuple[pytest.MarkDecorator, ...] = ()


def local(request: pytest.FixtureRequest) -> Opening:
    """Processes of this machine."""
    return _local(request.getfixturevalue("tmp_path"))


def apiserver(request: pytest.FixtureRequest) -> Opening:
    """An apiserver that nobody acts upon."""
    return _namespaced(request.getfixturevalue("apiserver_kubeconfig"), Subject.image)


def kubernetes(request: pytest.FixtureRequest) -> Opening:
    """A whole Kubernetes."""
    kubeconfig = request.getfixturevalue("node_kubeconfig")
    if request.node.get_closest_marker("needs_pod_network"):
        request.getfixturevalue("pod_network")
    return _namespaced(kubeconfig, request.getfixturevalue("python_image"))


@asynccontextmanager
async def _local(directory: Path) -> AsyncIterator[Subject]:
    images = {Subject.image: Path(sys.executable)}
    async with LocalCluster(directory, images=images, gpus=0, backoff_seconds=0.05) as cluster:
        yield Subject(cluster, "default")


@asynccontextmanager
async def _namespaced(kubeconfig: Path, image: str) -> AsyncIterator[Subject]:
    """In a new namespace, which is on its way out when the next test begins."""
    namespace = f"contract-{uuid4().hex[:8]}"
    admin = Kubectl(binary("kubectl"), kubeconfig, namespace)
    admin.apply(*_namespace(namespace))
    try:
        async with await KubernetesCluster.connect(kubeconfig) as cluster:
            yield Subject(cluster, namespace, image)
    finally:
        admin("delete", "namespace", namespace, "--wait=false")


def _namespace(name: str) -> list[dict[str, object]]:
    """The namespace, with the account that a controller would give it a moment too late for pods.

    Without a token: its volume would wait for another controller.
    """
    account = {"name": "default", "namespace": name}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}},
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": account,
            "automountServiceAccountToken": False,
        },
    ]


IMPLEMENTATIONS = {
    "local": Implementation(local, frozenset(NEEDS)),
    "apiserver": Implementation(apiserver, frozenset(), (pytest.mark.apiserver,)),
    "kubernetes": Implementation(kubernetes, frozenset(NEEDS), (pytest.mark.e2e,)),
}
