"""The tier `apiserver`: etcd and kube-apiserver on 127.0.0.1; no root, no pods, any number."""

import shutil
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.provider import control_plane, pki, web
from tests.provider.binaries import binary
from tests.provider.control_plane import FIRST_SERVICE_IP, Endpoints
from tests.provider.locking import locked
from tests.provider.process_table import ProcessTable

LOCALHOST = "127.0.0.1"
PROCESSES = ("etcd", "kube-apiserver")
# Without controllers nothing makes the service accounts that this plugin wants in every pod, and
# nothing keeps the endpoints of the service `kubernetes`.
_WITHOUT_CONTROLLERS: dict[str, str | int | Path] = {
    "disable-admission-plugins": "ServiceAccount",
    "endpoint-reconciler-type": "none",
}


@contextmanager
def apiserver(state: Path) -> Iterator[Path]:
    """An apiserver for as long as the context lasts; the kubeconfig of its administrator.

    It dies with the calling process, however that ends.
    """
    try:
        yield up(state, ("setpriv", "--pdeathsig=KILL"))
    finally:
        down(state)


def up(state: Path, prefix: Sequence[str] = ()) -> Path:
    """Start it, or what of it is missing; returns the kubeconfig."""
    table = ProcessTable(state)
    kubeconfig = state / "kubeconfig"
    with locked(state / "lock"):
        if not running(state):
            programs = {name: binary(name) for name in PROCESSES}
            table.stop()
            kubeconfig.unlink(missing_ok=True)  # present means ready
            at = Endpoints(LOCALHOST, *_free_ports(3))
            text = _start(table, programs, at, prefix)
            table.wait("kube-apiserver", lambda: ready(at, state / "pki"), 60)
            kubeconfig.write_text(text)
    return kubeconfig


def running(state: Path) -> bool:
    """Whether both processes run; they were ready when `up` returned."""
    return (state / "kubeconfig").exists() and ProcessTable(state).alive(*PROCESSES)


def down(state: Path) -> None:
    """Stop it and throw its data away; the logs stay."""
    with locked(state / "lock"):
        ProcessTable(state).stop()
        for name in ("etcd", "pki", "processes"):
            shutil.rmtree(state / name, ignore_errors=True)
        (state / "kubeconfig").unlink(missing_ok=True)


def ready(at: Endpoints, certificates: Path) -> bool:
    """Whether the apiserver says that it is."""
    return web.get(f"{at.apiserver_url}/readyz", authority=certificates / "ca.crt") is not None


def _start(
    table: ProcessTable, programs: dict[str, Path], at: Endpoints, prefix: Sequence[str]
) -> str:
    """Start both; returns the kubeconfig's text."""
    certificates = table.state / "pki"
    if not certificates.exists():
        server = pki.server("apiserver", LOCALHOST, FIRST_SERVICE_IP)
        pki.issue(certificates, [server, pki.ADMIN])
    etcd = control_plane.etcd(programs["etcd"], table.state / "etcd", at)
    serve = control_plane.kube_apiserver(
        programs["kube-apiserver"], certificates, at, _WITHOUT_CONTROLLERS
    )
    table.ensure("etcd", [*prefix, *etcd])
    table.ensure("kube-apiserver", [*prefix, *serve])
    return pki.kubeconfig(certificates, "admin", at.apiserver_url)


def _free_ports(count: int) -> list[int]:
    """Different ones: all are held until the last is known."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((LOCALHOST, 0))
        return [int(each.getsockname()[1]) for each in sockets]
