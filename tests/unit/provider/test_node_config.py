import json
import tomllib
from pathlib import Path

import yaml

from tests.provider.network import NODE_IP
from tests.provider.node_config import files
from tests.provider.node_processes import NAMES, commands, holder, inside

STATE, IMAGES = Path("/state"), Path("/images")
FILES = files(STATE, IMAGES)
PROGRAMS = {
    name: Path("/bin") / name
    for name in (
        "etcd",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "kubelet",
        "kube-proxy",
    )
}


def test_every_file_parses() -> None:
    for name, text in FILES.items():
        match Path(name).suffix:
            case ".toml":
                assert tomllib.loads(text), name
            case ".yaml":
                assert list(yaml.safe_load_all(text)), name
            case ".conflist":
                assert json.loads(text), name


def test_nothing_is_left_to_fill_in_but_the_shells_own_variables() -> None:
    assert not [name for name, text in FILES.items() if "${" in text]


def test_docker_hub_is_the_nodes_registry() -> None:
    hosts = tomllib.loads(FILES["certs.d/docker.io/hosts.toml"])
    assert hosts["server"] == f"http://{NODE_IP}:5000"


def test_containerd_keeps_images_apart_from_the_cluster() -> None:
    configuration = tomllib.loads(FILES["containerd.toml"])
    assert configuration["root"] == "/images/containerd"
    assert configuration["state"] == "/state/containerd"


def test_kubelet_finds_containerd_and_dns() -> None:
    kubelet = yaml.safe_load(FILES["kubelet.yaml"])
    address = tomllib.loads(FILES["containerd.toml"])["grpc"]["address"]
    assert kubelet["containerRuntimeEndpoint"] == f"unix://{address}"
    service = list(yaml.safe_load_all(FILES["coredns.yaml"]))[-1]
    assert kubelet["clusterDNS"] == [service["spec"]["clusterIP"]]


def test_system_images_are_named_by_content() -> None:
    deployment = list(yaml.safe_load_all(FILES["coredns.yaml"]))[-2]
    image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    assert len(image.rpartition(":")[2]) == 12


def test_processes_start_in_an_order_in_which_each_finds_the_ones_it_needs() -> None:
    order = list(commands(PROGRAMS, STATE))
    assert tuple(order) == NAMES
    assert order.index("etcd") < order.index("kube-apiserver") < order.index("kubelet")
    assert order.index("containerd") < order.index("kubelet")


def test_the_apiserver_authorizes_and_signs() -> None:
    argv = commands(PROGRAMS, STATE)["kube-apiserver"]
    assert "--authorization-mode=Node,RBAC" in argv
    assert "--service-account-signing-key-file=/state/pki/sa.key" in argv
    assert f"--bind-address={NODE_IP}" in argv


def test_the_holder_becomes_one_process() -> None:
    """nsenter, unshare and sh each exec the next: the pid that is recorded is the sleep's."""
    assert holder(STATE) == [
        "nsenter",
        "--net=/run/netns/proctor",
        "unshare",
        "--mount",
        "--propagation",
        "private",
        "sh",
        "/state/config/holder.sh",
    ]
    assert FILES["holder.sh"].rstrip().endswith("exec sleep infinity")


def test_others_enter_the_holders_namespaces() -> None:
    assert inside(7) == ["nsenter", "--target=7", "--net", "--mount", "--wd=/"]
