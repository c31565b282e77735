from pathlib import Path

from tests.provider.control_plane import Endpoints, etcd, flags, kube_apiserver

AT = Endpoints("127.0.0.1", 1, 2, 3)


def test_flags() -> None:
    assert flags({"bind-address": "::", "port": 1}) == ["--bind-address=::", "--port=1"]


def test_etcd_listens_for_its_apiserver_only() -> None:
    argv = etcd(Path("/bin/etcd"), Path("/data"), AT)
    assert argv[0] == "/bin/etcd"
    assert "--listen-client-urls=http://127.0.0.1:2" in argv
    assert "--listen-peer-urls=http://127.0.0.1:3" in argv


def test_a_tier_may_override_the_common_flags() -> None:
    extra: dict[str, str | int | Path] = {"authorization-mode": "RBAC", "v": 2}
    argv = kube_apiserver(Path("/bin/a"), Path("/pki"), AT, extra)
    assert "--authorization-mode=RBAC" in argv
    assert "--v=2" in argv
    assert "--secure-port=1" in argv
    assert "--etcd-servers=http://127.0.0.1:2" in argv
