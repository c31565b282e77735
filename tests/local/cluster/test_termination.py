"""How processes end: politely, by force, and without leaving any behind."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from proctor_cli.local import LocalCluster
from proctor_operator.cluster import Manifest, Ref
from tests.contract.cluster.manifests import (
    container,
    gone,
    phase,
    pod,
    terminated,
    until,
)
from tests.local.cluster.conftest import IMAGE
from tests.local.cluster.manifests import MODEL, MOUNT
from tests.local.cluster.processes import FAMILY, ended, written

ON_SIGTERM = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: {action})
open(os.environ["MOUNT_MODEL"] + "/pids", "w").write(str(os.getpid()))
while True:
    time.sleep(600)
"""


def family_pod(code: str, **spec: Any) -> Manifest:
    return pod("default", container(IMAGE, code, **MOUNT), volumes=[MODEL], **spec)


async def last_end(cluster: LocalCluster, made: Manifest) -> list[Manifest]:
    """Delete the pod; how its container ended, as watchers saw it."""
    ends: list[Manifest] = []
    cluster.watch(
        lambda change: (
            ends.append(end)
            if change.object["kind"] == "Pod" and (end := terminated(change.object))
            else None
        )
    )
    await cluster.delete(Ref.of(made))
    await gone(cluster, made)
    return ends


async def test_sigterm_is_heard(cluster: LocalCluster, tmp_path: Path) -> None:
    made = family_pod(ON_SIGTERM.format(action="sys.exit(7)"), terminationGracePeriodSeconds=30)
    await cluster.apply(made)
    await written(tmp_path / "given/pids")
    assert (await last_end(cluster, made))[-1]["exitCode"] == 7


async def test_who_does_not_hear_is_killed(cluster: LocalCluster, tmp_path: Path) -> None:
    made = family_pod(ON_SIGTERM.format(action="None"), terminationGracePeriodSeconds=1)
    await cluster.apply(made)
    pids = await written(tmp_path / "given/pids")
    assert (await last_end(cluster, made))[-1]["exitCode"] == 128 + signal.SIGKILL
    await ended(*pids)


async def test_children_end_with_the_command(cluster: LocalCluster, tmp_path: Path) -> None:
    made = family_pod(FAMILY + "time.sleep(1)")
    await cluster.apply(made)
    pids = await written(tmp_path / "given/pids", 3)
    await until(cluster, made, lambda p: phase(p) == "Succeeded")
    await ended(*pids)


async def test_closing_the_cluster_ends_everything(tmp_path: Path) -> None:
    images = {IMAGE: Path(sys.executable)}
    (tmp_path / "model").mkdir()
    volumes = {"model": tmp_path / "model"}
    async with LocalCluster(tmp_path / "state", images=images, volumes=volumes, gpus=0) as cluster:
        await cluster.apply(family_pod(FAMILY + "time.sleep(600)"))
        pids = await written(tmp_path / "model/pids", 3)
    await ended(*pids)


async def test_cancelling_the_close_ends_everything_at_once(tmp_path: Path) -> None:
    images = {IMAGE: Path(sys.executable)}
    (tmp_path / "model").mkdir()
    volumes = {"model": tmp_path / "model"}
    opened = LocalCluster(tmp_path / "state", images=images, volumes=volumes, gpus=0)
    cluster = await opened.__aenter__()
    stubborn = family_pod(ON_SIGTERM.format(action="None"), terminationGracePeriodSeconds=600)
    await cluster.apply(stubborn)
    pids = await written(tmp_path / "model/pids")
    closing = asyncio.create_task(opened.__aexit__(None, None, None))
    await asyncio.sleep(0.1)
    closing.cancel()
    async with asyncio.timeout(10):
        await asyncio.wait({closing})
    assert closing.cancelled()
    await ended(*pids)


CLUSTER = """
import asyncio, json, sys
from pathlib import Path
from proctor_cli.local import LocalCluster

async def main(directory, pod):
    images, volumes = {"proctor/runtime": Path(sys.executable)}, {"model": directory / "model"}
    async with LocalCluster(directory / "state", images=images, volumes=volumes, gpus=0) as cluster:
        await cluster.apply(pod)
        await asyncio.sleep(600)

asyncio.run(main(Path(sys.argv[1]), json.loads(sys.argv[2])))
"""


async def test_nothing_outlives_a_cluster_that_is_killed(tmp_path: Path) -> None:
    import json

    (tmp_path / "model").mkdir()
    made = json.dumps(family_pod(FAMILY + "time.sleep(600)"))
    arguments = [sys.executable, "-c", CLUSTER, str(tmp_path), made]
    cluster = await asyncio.create_subprocess_exec(*arguments, stdin=subprocess.DEVNULL)
    pids = await written(tmp_path / "model/pids", 3)
    cluster.kill()
    await cluster.wait()
    await ended(*pids)


async def test_ctrl_c_in_the_terminal_does_not_reach_pods(
    cluster: LocalCluster, tmp_path: Path
) -> None:
    await cluster.apply(family_pod(FAMILY + "time.sleep(600)"))
    pids = await written(tmp_path / "given/pids", 3)
    assert os.getpgid(0) not in {os.getpgid(pid) for pid in pids}
