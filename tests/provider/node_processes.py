"""The command lines of everything that makes a node, and the order in which they start. Pure."""

from collections.abc import Mapping
from pathlib import Path

from tests.provider import control_plane
from tests.provider.control_plane import flags
from tests.provider.network import NAMESPACE, NODE_IP
from tests.provider.node_config import ENDPOINTS, NODE_NAME

HOLDER = "holder"
NAMES = (
    "etcd",
    "kube-apiserver",
    "containerd",
    "registry",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
)


def holder(state: Path) -> list[str]:
    """The process that owns the namespaces; every program called on the way execs the next."""
    enter = ["nsenter", f"--net=/run/netns/{NAMESPACE}"]
    private = ["unshare", "--mount", "--propagation", "private"]
    return [*enter, *private, "sh", str(state / "config" / "holder.sh")]


def inside(holder_pid: int) -> list[str]:
    """What precedes a command that shall run on the node.

    Not `ip netns exec`: that hides /sys/fs/cgroup, which kubelet and runc need.
    """
    return ["nsenter", f"--target={holder_pid}", "--net", "--mount", "--wd=/"]


def commands(programs: Mapping[str, Path], state: Path) -> dict[str, list[str]]:
    """Name: command line, in order of starting."""
    pki, config = state / "pki", state / "config"
    kubelet: dict[str, str | int | Path] = {
        "config": config / "kubelet.yaml",
        "kubeconfig": pki / "kubelet.kubeconfig",
        "root-dir": "/var/lib/kubelet",
        "cert-dir": pki / "kubelet",
        "hostname-override": NODE_NAME,
        "node-ip": NODE_IP,
    }
    started = (
        control_plane.etcd(programs["etcd"], state / "etcd", ENDPOINTS),
        control_plane.kube_apiserver(programs["kube-apiserver"], pki, ENDPOINTS, _of_a_node(pki)),
        ["containerd", "--config", str(config / "containerd.toml")],
        ["docker-registry", "serve", str(config / "registry.yaml")],
        control_plane.controller_manager(programs["kube-controller-manager"], pki),
        control_plane.scheduler(programs["kube-scheduler"], pki),
        [str(programs["kubelet"]), *flags(kubelet)],
        [str(programs["kube-proxy"]), f"--config={config / 'kube-proxy.yaml'}"],
    )
    return dict(zip(NAMES, started, strict=True))


def _of_a_node(pki: Path) -> dict[str, str | int | Path]:
    """How the apiserver reaches kubelets. By address: nothing resolves the node's name."""
    return {
        "enable-admission-plugins": "NodeRestriction",
        "kubelet-preferred-address-types": "InternalIP",
        "kubelet-client-certificate": pki / "kubelet-client.crt",
        "kubelet-client-key": pki / "kubelet-client.key",
        "kubelet-certificate-authority": pki / "ca.crt",
    }
