"""On the session's apiserver, for each test a namespace and an operator watching it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from tests.kube import Kubectl, OperatorProcess
from tests.provider import binary


@pytest.fixture(scope="session")
def cluster_admin(apiserver_kubeconfig: Path) -> Kubectl:
    """kubectl on a cluster that has Proctor's CRDs."""
    kubectl = Kubectl(binary("kubectl"), apiserver_kubeconfig)
    kubectl("apply", "--server-side", "-f", "crds")
    kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", "crds")
    return kubectl


@pytest.fixture
def kubectl(cluster_admin: Kubectl) -> Iterator[Kubectl]:
    """kubectl in a new namespace, emptied of Proctor's resources afterwards."""
    namespaced = replace(cluster_admin, namespace=f"test-{uuid4().hex[:8]}")
    cluster_admin("create", "namespace", namespaced.namespace)
    yield namespaced
    namespaced("delete", "evaluationruns,modeldeployments", "--all", "--wait=false")


@pytest.fixture
def operator(kubectl: Kubectl, tmp_path: Path) -> Iterator[OperatorProcess]:
    """The operator, watching the test's namespace."""
    environment = {"WATCH_NAMESPACES": kubectl.namespace}
    process = OperatorProcess(kubectl.kubeconfig, tmp_path / "operator.log", environment)
    process.start()
    yield process
    process.stop()
