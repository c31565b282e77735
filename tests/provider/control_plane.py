"""The command lines of Kubernetes' control plane. Pure."""

from dataclasses import dataclass
from pathlib import Path

SERVICE_RANGE = "10.96.0.0/16"
FIRST_SERVICE_IP = "10.96.0.1"  # the apiserver's own, by Kubernetes' convention


@dataclass(frozen=True)
class Endpoints:
    """Where the control plane listens."""

    address: str
    apiserver_port: int
    etcd_client_port: int
    etcd_peer_port: int

    @property
    def apiserver_url(self) -> str:
        """What goes into kubeconfigs."""
        return f"https://{self.address}:{self.apiserver_port}"

    @property
    def etcd_client_url(self) -> str:
        """etcd needs no network: its only client is beside it."""
        return f"http://127.0.0.1:{self.etcd_client_port}"

    @property
    def etcd_peer_url(self) -> str:
        """etcd insists on one, even alone."""
        return f"http://127.0.0.1:{self.etcd_peer_port}"


def flags(values: dict[str, str | int | Path]) -> list[str]:
    """`--name=value` for each."""
    return [f"--{name}={value}" for name, value in values.items()]


def etcd(program: Path, data: Path, at: Endpoints) -> list[str]:
    """etcd that may lose its last writes in a power cut: disks are slow, and tests do not care."""
    urls: dict[str, str | int | Path] = {
        "data-dir": data,
        "listen-client-urls": at.etcd_client_url,
        "advertise-client-urls": at.etcd_client_url,
        "listen-peer-urls": at.etcd_peer_url,
        "initial-advertise-peer-urls": at.etcd_peer_url,
        "initial-cluster": f"default={at.etcd_peer_url}",
        "log-level": "warn",
    }
    return [str(program), "--unsafe-no-fsync", *flags(urls)]


def kube_apiserver(
    program: Path, pki: Path, at: Endpoints, extra: dict[str, str | int | Path]
) -> list[str]:
    """kube-apiserver with RBAC and signed service-account tokens; `extra` is the tier's own."""
    common: dict[str, str | int | Path] = {
        "etcd-servers": at.etcd_client_url,
        "bind-address": at.address,
        "advertise-address": at.address,
        "secure-port": at.apiserver_port,
        "service-cluster-ip-range": SERVICE_RANGE,
        "client-ca-file": pki / "ca.crt",
        "tls-cert-file": pki / "apiserver.crt",
        "tls-private-key-file": pki / "apiserver.key",
        "authorization-mode": "Node,RBAC",
        "service-account-issuer": "https://kubernetes.default.svc",
        "service-account-key-file": pki / "sa.pub",
        "service-account-signing-key-file": pki / "sa.key",
        "allow-privileged": "true",
    }
    return [str(program), *flags(common | extra)]


def controller_manager(program: Path, pki: Path) -> list[str]:
    """Jobs, Deployments, endpoints, garbage collection by owner."""
    config = pki / "controller-manager.kubeconfig"
    values: dict[str, str | int | Path] = {
        **_clients(config),
        "use-service-account-credentials": "true",
        "service-account-private-key-file": pki / "sa.key",
        "root-ca-file": pki / "ca.crt",
        # The defaults spare a busy apiserver; here they only make forty controllers start slowly.
        "kube-api-qps": 500,
        "kube-api-burst": 1000,
    }
    return [str(program), *flags(values)]


def scheduler(program: Path, pki: Path) -> list[str]:
    """Pods onto the node."""
    return [str(program), *flags(_clients(pki / "scheduler.kubeconfig"))]


def _clients(config: Path) -> dict[str, str | int | Path]:
    return {
        "kubeconfig": config,
        "authentication-kubeconfig": config,
        "authorization-kubeconfig": config,
        "leader-elect": "false",
        "bind-address": "127.0.0.1",
    }
