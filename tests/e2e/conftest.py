"""A node with the images and the chart on it, and a namespace with a filled claim.

The cluster is left as it was found, up or down.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from demo import cluster as demo
from tests.e2e.answers import Answers, provide
from tests.e2e.volume import stage
from tests.examples import deployment
from tests.kube import LONG_SECONDS, Kubectl
from tests.provider import binary


@pytest.fixture(scope="session")
def installed(node_kubeconfig: Path) -> Path:
    """The same, of a cluster with Proctor's images and its chart installed."""
    demo.build_images()
    demo.install(demo.Tools(node_kubeconfig))
    return node_kubeconfig


@pytest.fixture(scope="session")
def kubectl(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    """kubectl in a new namespace, with everything that the tests read on its claim."""
    namespace = f"e2e-{uuid4().hex[:8]}"
    kubectl = Kubectl(binary("kubectl"), installed, namespace)
    kubectl("create", "namespace", namespace)
    demo.fill_claim(
        demo.Tools(installed, namespace), stage(tmp_path_factory.mktemp("volume") / "data")
    )
    yield kubectl
    kubectl("delete", "pods", "--all", "--force", "--grace-period=0")  # nobody waits for them
    kubectl("delete", "namespace", namespace, "--timeout=120s")
    # The namespace's volume stays behind, released, with its files.
    kubectl("delete", "persistentvolume", f"{namespace}-{demo.CLAIM}", "--ignore-not-found")
    shutil.rmtree(demo.host_folder(namespace), ignore_errors=True)


@pytest.fixture(scope="session")
def served(kubectl: Kubectl) -> Kubectl:
    """kubectl where the example's deployment is Ready."""
    kubectl.apply(deployment())
    kubectl.wait_condition(
        "modeldeployment", "arithmetic", "Ready", "True", "AllReplicasReady", LONG_SECONDS
    )
    return kubectl


@pytest.fixture(scope="session")
def answers(kubectl: Kubectl) -> Iterator[Answers]:
    """What runs of the namespace were answered, where they keep it on the claim `answers`."""
    folder = demo.host_folder(kubectl.namespace).with_name(f"{kubectl.namespace}-answers")
    yield provide(kubectl, folder)
    kubectl("delete", "persistentvolume", folder.name, "--wait=false")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def the_operator_does_not_crash(request: pytest.FixtureRequest, installed: Path) -> Iterator[None]:
    """Whatever a test does, the operator goes on in the same process, unless the test ends it."""
    system = Kubectl(binary("kubectl"), installed, demo.SYSTEM)
    before = operator_starts(system)
    yield
    if "ends_the_operator" not in request.keywords:
        assert operator_starts(system) == before


def operator_starts(system: Kubectl) -> dict[str, int]:
    """How often the container of each of the operator's pods was started anew."""
    return {
        pod["metadata"]["name"]: pod["status"]["containerStatuses"][0]["restartCount"]
        for pod in system.list("pods", "app.kubernetes.io/name=proctor")
    }
