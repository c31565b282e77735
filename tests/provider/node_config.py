"""Everything that the node reads from files: configuration, certificates, kubeconfigs."""

from pathlib import Path

from tests.provider import pki, system_images
from tests.provider.control_plane import FIRST_SERVICE_IP, Endpoints
from tests.provider.network import DNS_IP, NODE_IP, POD_RANGE, REGISTRY
from tests.provider.paths import image_store
from tests.provider.pki import Certificate
from tests.provider.templates import render

NODE_NAME = "node"
ENDPOINTS = Endpoints(NODE_IP, 6443, 2379, 2380)
CLIENTS = (
    pki.ADMIN,
    Certificate("kubelet-client", "/CN=kubelet-client/O=system:masters"),
    Certificate("controller-manager", "/CN=system:kube-controller-manager"),
    Certificate("scheduler", "/CN=system:kube-scheduler"),
    Certificate("kubelet", f"/CN=system:node:{NODE_NAME}/O=system:nodes"),
    Certificate("proxy", "/CN=system:kube-proxy"),
)
SERVERS = (
    pki.server("apiserver", NODE_IP, "127.0.0.1", FIRST_SERVICE_IP),
    Certificate("node", f"/CN={NODE_NAME}", f"IP:{NODE_IP},DNS:{NODE_NAME}"),
)
# Target under config/: template.
_FILES = {
    "holder.sh": "holder.sh",
    "containerd.toml": "containerd.toml",
    "certs.d/docker.io/hosts.toml": "hosts.toml",
    f"certs.d/{REGISTRY}/hosts.toml": "hosts.toml",
    "cni/proctor.conflist": "cni.conflist",
    "kubelet.yaml": "kubelet.yaml",
    "kube-proxy.yaml": "kube-proxy.yaml",
    "registry.yaml": "registry.yaml",
    "coredns.yaml": "coredns.yaml",
}


def write(state: Path) -> None:
    """Write all of it below `state`."""
    certificates = state / "pki"
    pki.issue(certificates, [*CLIENTS, *SERVERS])
    for client in CLIENTS:
        text = pki.kubeconfig(certificates, client.name, ENDPOINTS.apiserver_url)
        (certificates / f"{client.name}.kubeconfig").write_text(text)
    for target, text in files(state, image_store()).items():
        path = state / "config" / target
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def files(state: Path, images: Path) -> dict[str, str]:
    """The configuration files' text, by path below config/. Pure."""
    values = {
        "state": state,
        "images": images,
        "pki": state / "pki",
        "registry": REGISTRY,
        "pod_range": POD_RANGE,
        "dns_ip": DNS_IP,
        "pause_tag": system_images.tag("pause"),
        "coredns_tag": system_images.tag("coredns"),
    }
    rendered = {target: render(template, **values) for target, template in _FILES.items()}
    return {**rendered, "resolv.conf": ""}
