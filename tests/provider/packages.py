"""The Debian packages that a node is made of, installed where they are missing."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from tests.provider.commands import run
from tests.provider.errors import UnavailableError

NODE = {
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "socat": "socat",
    "ipset": "ipset",
    "ip": "iproute2",
    "openssl": "openssl",
    "docker-registry": "docker-registry",
}
IMAGES = {"buildah": "buildah", "debootstrap": "debootstrap"}
# Debian keeps what only root runs out of other people's PATH.
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


def missing(programs: Mapping[str, str], search_path: str = SEARCH_PATH) -> list[str]:
    """The packages whose program is not there."""
    return sorted(
        package
        for program, package in programs.items()
        if not (Path(program).exists() or shutil.which(program, path=search_path))
    )


def ensure(programs: Mapping[str, str]) -> None:
    """Install what is missing; needs root and Debian."""
    if os.geteuid() != 0:
        raise UnavailableError("a node of its own needs root: run as root, or set KUBECONFIG")
    if not (wanted := missing(programs)):
        return
    if not shutil.which("apt-get"):
        raise UnavailableError(f"not a Debian machine: install {', '.join(wanted)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run("apt-get", "update", "-qq", env=environment)
    run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *wanted, env=environment)
