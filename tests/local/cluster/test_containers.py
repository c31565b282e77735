"""What a container sees of the world."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from proctor_cli.local import Change, LocalCluster
from proctor_operator.cluster import Manifest, Ref
from tests.contract.cluster.manifests import (
    SLEEP,
    condition,
    config_map,
    container,
    gone,
    job,
    phase,
    pod,
    server,
    some_pod,
    terminated,
    until,
    waiting,
)
from tests.local.cluster.conftest import IMAGE
from tests.local.cluster.manifests import MODEL

DUMP = """
import json, os
seen = {"cwd": os.getcwd(), "env": dict(os.environ)}
print(json.dumps(seen))
"""


async def seen_by(cluster: LocalCluster, made: Manifest) -> Any:
    await cluster.apply(made)
    found = await until(cluster, made, terminated)
    return json.loads(cluster.logs(found).splitlines()[-1])


async def test_only_declared_variables_are_set(
    cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "ours")
    env = (await seen_by(cluster, pod("default", container(IMAGE, DUMP))))["env"]
    allowed = {
        "HOME",
        "PATH",
        "LANG",
        "LD_LIBRARY_PATH",
        "PYTHONUNBUFFERED",
        "CUDA_VISIBLE_DEVICES",
    }
    assert env.keys() - {"LC_CTYPE"} == allowed
    assert env["CUDA_VISIBLE_DEVICES"] == ""
    assert env["HOME"].startswith("/")


async def test_addresses_are_those_of_this_machine(cluster: LocalCluster, tmp_path: Path) -> None:
    env = {
        "PORT_TRITON_HTTP": "8000",
        "PORT_OTHER": "9000",
        "MOUNT_MODEL": "/model",
        "BIND_ADDRESS": "0.0.0.0",  # noqa: S104
        "TERMINATION_MESSAGE_PATH": "/dev/termination-log",
        "HOME": "/scratch/home",
        "URL": "http://127.0.0.1:$(PORT_TRITON_HTTP)$(MOUNT_MODEL)",
    }
    main = container(
        IMAGE,
        DUMP,
        env=[{"name": name, "value": value} for name, value in env.items()],
        ports=[{"name": "triton-http", "containerPort": 8000}],
        volumeMounts=[
            {"name": "model", "mountPath": "/model"},
            {"name": "scratch", "mountPath": "/scratch"},
        ],
    )
    volumes = [MODEL, {"name": "scratch", "emptyDir": {}}]
    seen = (await seen_by(cluster, pod("default", main, volumes=volumes)))["env"]
    assert seen["PORT_TRITON_HTTP"] != "8000"
    assert seen["PORT_OTHER"] == "9000"
    assert seen["MOUNT_MODEL"] == str(tmp_path / "given")
    assert seen["BIND_ADDRESS"] == "127.0.0.1"
    assert seen["URL"] == f"http://127.0.0.1:{seen['PORT_TRITON_HTTP']}{tmp_path / 'given'}"
    assert seen["HOME"].endswith("/volumes/scratch/home")


async def test_gpus_are_given_to_one_pod_at_a_time(cluster: LocalCluster) -> None:
    resources = {"limits": {"nvidia.com/gpu": "2"}}
    first = pod("default", container(IMAGE, DUMP + SLEEP, resources=resources), name="first")
    second = pod("default", container(IMAGE, DUMP, resources=resources), name="second")
    await cluster.apply(first)
    await until(cluster, first, lambda p: phase(p) == "Running")
    await cluster.apply(second)
    found = await until(cluster, second, lambda p: condition(p, "PodScheduled"))
    assert "asks for 2, this machine has 2, 0 free" in condition(found, "PodScheduled")["message"]
    await cluster.delete(Ref.of(first))
    found = await until(cluster, second, lambda p: phase(p) == "Succeeded")
    assert json.loads(cluster.logs(found))["env"]["CUDA_VISIBLE_DEVICES"] == "0,1"


async def test_a_volume_waits_for_its_config_map(cluster: LocalCluster) -> None:
    volumes = [{"name": "settings", "configMap": {"name": "settings"}}]
    made = pod("default", container(IMAGE, "pass"), volumes=volumes)
    await cluster.apply(made)
    await until(cluster, made, lambda p: waiting(p, "ContainerCreating"))
    await cluster.apply(config_map("default", a="1"))
    await until(cluster, made, lambda p: phase(p) == "Succeeded")
    events = await cluster.list("v1", "Event", "default", {})
    messages = [each["message"] for each in events if each["reason"] == "FailedMount"]
    assert messages == ['MountVolume.SetUp failed: configmap "settings" not found']


async def test_pods_that_wait_do_not_wake_each_other_for_ever(cluster: LocalCluster) -> None:
    source = {"secretKeyRef": {"name": "none", "key": "none"}}
    waiter = container(IMAGE, "pass", env=[{"name": "X", "valueFrom": source}])
    volumes = [{"name": "settings", "configMap": {"name": "none"}}]
    made = [
        pod("default", waiter, name="a"),
        pod("default", waiter, name="b"),
        pod("default", waiter, name="c", volumes=volumes),
        pod("default", waiter, name="d", volumes=volumes),
    ]
    for each in made:
        await cluster.apply(each)
    for each in made[:2]:
        await until(cluster, each, lambda p: waiting(p, "CreateContainerConfigError"))
    changes: list[Change] = []
    cluster.watch(changes.append)
    await cluster.apply(config_map("default", "unrelated"))
    await asyncio.sleep(0.1)
    assert [change.object["kind"] for change in changes] == ["ConfigMap"]


async def test_a_claims_files_outlive_pods_and_go_with_the_claim(
    cluster: LocalCluster, tmp_path: Path
) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "artifacts", "namespace": "default"},
        "spec": {"accessModes": ["ReadWriteOnce"]},
    }
    await cluster.apply(claim)
    await until(cluster, claim, lambda c: c["status"]["phase"] == "Bound")
    main = container(
        IMAGE,
        "import os, pathlib; pathlib.Path(os.environ['MOUNT_ARTIFACTS'], 'file').touch()",
        env=[{"name": "MOUNT_ARTIFACTS", "value": "/artifacts"}],
        volumeMounts=[{"name": "artifacts", "mountPath": "/artifacts"}],
    )
    volume = {"name": "artifacts", "persistentVolumeClaim": {"claimName": "artifacts"}}
    made = pod("default", main, volumes=[volume])
    await cluster.apply(made)
    await until(cluster, made, terminated)
    await cluster.delete(Ref.of(made))
    await gone(cluster, made)
    directory = tmp_path / "state/volumes/default/artifacts"
    assert (directory / "file").exists()
    await cluster.delete(Ref.of(claim))
    assert not directory.exists()
    assert (tmp_path / "given").exists()


async def test_an_evicted_pod_does_not_count_against_its_job(cluster: LocalCluster) -> None:
    disrupted = [{"type": "DisruptionTarget", "status": "True"}]
    policy = {"rules": [{"action": "Ignore", "onPodConditions": disrupted}]}
    made = job("default", server(IMAGE), podFailurePolicy=policy)
    await cluster.apply(made)
    first = await some_pod(cluster, "default", lambda p: phase(p) == "Running")
    await cluster.evict(Ref.of(first))
    name = first["metadata"]["name"]
    await some_pod(
        cluster, "default", lambda p: phase(p) == "Running" and p["metadata"]["name"] != name
    )
    found = await cluster.get(Ref.of(made))
    assert found is not None
    assert "failed" not in found["status"]


async def test_pods_of_one_template_do_not_share_a_port(cluster: LocalCluster) -> None:
    made = [pod("default", server(IMAGE), name=name) for name in ("a", "b")]
    for each in made:
        await cluster.apply(each)
    ready = [
        await until(cluster, each, lambda p: condition(p, "Ready").get("status") == "True")
        for each in made
    ]
    answers = await asyncio.gather(*(cluster.get_json(each, "http", "/x") for each in ready))
    assert answers == [{"path": "/x"}] * 2
    assert os.environ.get("PORT_HTTP") is None
