"""What failing probes do."""

from pathlib import Path

from proctor_cli.local import LocalCluster
from tests.contract.cluster.manifests import (
    SLEEP,
    condition,
    container,
    holds,
    phase,
    pod,
    restarts,
    server,
    until,
)
from tests.local.cluster.conftest import IMAGE
from tests.local.cluster.manifests import MODEL, MOUNT

QUICK = {"periodSeconds": 0.05, "failureThreshold": 2}


async def reasons(cluster: LocalCluster) -> dict[str, str]:
    events = await cluster.list("v1", "Event", "default", {})
    return {each["reason"]: each["message"] for each in events}


async def test_why_liveness_restarts_is_told(cluster: LocalCluster) -> None:
    probe = {"tcpSocket": {"port": "http"}, **QUICK}
    ports = [{"name": "http", "containerPort": 1}]
    main = container(IMAGE, SLEEP, livenessProbe=probe, ports=ports)
    made = pod("default", main, restartPolicy="Always")
    await cluster.apply(made)
    await until(cluster, made, lambda p: restarts(p) >= 1)
    assert (await reasons(cluster))["Unhealthy"].startswith("Liveness probe failed: dial tcp")


async def test_why_startup_is_given_up_is_told(cluster: LocalCluster) -> None:
    probe = {"exec": {"command": ["python", "-c", "raise SystemExit('not yet')"]}, **QUICK}
    made = pod("default", container(IMAGE, SLEEP, startupProbe=probe | {"timeoutSeconds": 20}))
    await cluster.apply(made)
    await until(cluster, made, lambda p: phase(p) == "Failed")
    told = (await reasons(cluster))["Unhealthy"]
    assert told.startswith("Startup probe failed: exit code 1: not yet")


async def test_readiness_comes_and_goes(cluster: LocalCluster, tmp_path: Path) -> None:
    code = "import os, sys; sys.exit(not os.path.exists(os.environ['MOUNT_MODEL'] + '/ready'))"
    probe = {"exec": {"command": ["python", "-c", code]}, "timeoutSeconds": 20, **QUICK}
    main = container(IMAGE, SLEEP, readinessProbe=probe, **MOUNT)
    made = pod("default", main, volumes=[MODEL])
    await cluster.apply(made)
    found = await until(cluster, made, lambda p: phase(p) == "Running")
    assert condition(found, "Ready")["status"] == "False"
    assert condition(found, "Ready")["message"] == "containers with unready status: [main]"
    (tmp_path / "given/ready").touch()
    await until(cluster, made, holds("Ready"))
    (tmp_path / "given/ready").unlink()
    await until(cluster, made, lambda p: not holds("Ready")(p))
    assert restarts(await until(cluster, made, bool)) == 0


async def test_nothing_else_is_asked_before_startup(cluster: LocalCluster) -> None:
    main = server(IMAGE)
    main["readinessProbe"] |= {"timeoutSeconds": 20}
    main["startupProbe"] = main["readinessProbe"] | {"periodSeconds": 0.05, "failureThreshold": 600}
    main["livenessProbe"] = main["readinessProbe"] | {"failureThreshold": 1}
    made = pod("default", main)
    await cluster.apply(made)
    found = await until(cluster, made, holds("Ready"))
    assert restarts(found) == 0
