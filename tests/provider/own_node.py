"""The machine's own node: a whole Kubernetes in a network namespace. Needs root and Debian."""

import os
import shutil
from pathlib import Path

from tests.provider import (
    containers,
    leftovers,
    network,
    node_config,
    packages,
    registry,
    system_images,
)
from tests.provider.apiserver_tier import ready
from tests.provider.binaries import binary
from tests.provider.commands import run, succeeds
from tests.provider.control_plane import SERVICE_RANGE
from tests.provider.locking import locked
from tests.provider.node_processes import HOLDER, NAMES, commands, holder, inside
from tests.provider.paths import image_store, node_state
from tests.provider.process_table import ProcessTable

_PROGRAMS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kubectl",
)
_LOCK = "node.lock"  # beside the state, which `down` removes


def kubeconfig() -> Path:
    """The administrator's; there while the node is up."""
    return node_state() / "pki" / "admin.kubeconfig"


def table() -> ProcessTable:
    """The node's processes. A clean environment: no proxy may stand between its parts."""
    path = os.pathsep.join(["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin"])
    environment = {"PATH": path, "HOME": str(Path.home()), leftovers.MARK: str(node_state())}
    return ProcessTable(node_state(), environment)


def running() -> bool:
    """Whether everything runs and `up` has come to its end."""
    return (node_state() / "complete").exists() and table().alive(HOLDER, *NAMES)


def up() -> Path:
    """Start the node, or what of it is missing; returns the kubeconfig."""
    with locked(node_state().with_name(_LOCK)):
        if not running():
            packages.ensure(packages.NODE)
            programs = {name: binary(name) for name in _PROGRAMS}
            if not table().alive(HOLDER):
                _clear()
                _hold()
            _start(programs)
            (node_state() / "complete").touch()
    return kubeconfig()


def down() -> None:
    """Stop everything and throw the cluster's state away; binaries and images stay."""
    with locked(node_state().with_name(_LOCK)):
        _clear()


def purge() -> None:
    """Also remove the images."""
    down()
    shutil.rmtree(image_store(), ignore_errors=True)


def _clear() -> None:
    table().stop()
    leftovers.kill(node_state())
    leftovers.remove_cgroups()
    network.remove()
    shutil.rmtree(node_state(), ignore_errors=True)


def _hold() -> None:
    """Make the namespaces and everything that is decided once for a cluster."""
    network.create(SERVICE_RANGE)
    node_config.write(node_state())
    table().ensure(HOLDER, holder(node_state()))
    table().wait(HOLDER, (node_state() / "held").exists, 10)


def _start(programs: dict[str, Path]) -> None:
    """In order: kubelet wants a containerd without the containers of an earlier cluster."""
    processes = table()
    prefix = inside(processes.recorded()[HOLDER].pid)
    argv = commands(programs, node_state())
    had_kubelet = (node_state() / "processes" / "kubelet").exists()
    for name in ("etcd", "kube-apiserver", "containerd", "registry"):
        processes.ensure(name, [*prefix, *argv[name]])
    processes.wait("registry", registry.answers, 20)
    system_images.push()
    processes.wait("containerd", lambda: containers.answers(node_state()), 30)
    if not had_kubelet:
        containers.clear(node_state())
    processes.wait("kube-apiserver", lambda: ready(node_config.ENDPOINTS, node_state() / "pki"), 90)
    for name, command in argv.items():
        processes.ensure(name, [*prefix, *command])
    _wait_ready(processes, programs["kubectl"])


def _wait_ready(processes: ProcessTable, kubectl: Path) -> None:
    """The node is ready once a Service's name can be looked up on it."""
    here = (kubectl, "--kubeconfig", kubeconfig())
    processes.wait("kubelet", lambda: succeeds(*here, "get", "node", node_config.NODE_NAME), 60)
    manifest = node_state() / "config" / "coredns.yaml"
    run(*here, "apply", "--server-side", "--force-conflicts", "-f", manifest)
    run(*here, "wait", "--for=condition=Ready", f"node/{node_config.NODE_NAME}", "--timeout=60s")
    rollout = ("rollout", "status", "deployment/coredns", "--timeout=60s")
    run(*here, "--namespace=kube-system", *rollout)
