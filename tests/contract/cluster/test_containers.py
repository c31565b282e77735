"""Containers: what they are given, how they are probed, and what is left of them."""

import signal

import pytest

from proctor_operator.cluster import Manifest
from tests.contract.cluster.manifests import (
    MESSAGE_PATH,
    SLEEP,
    config_map,
    container,
    phase,
    pod,
    restarts,
    terminated,
    until,
)
from tests.contract.cluster.subjects import Subject

pytestmark = pytest.mark.needs_node

BY_SIGNAL = (128 + signal.SIGTERM, 128 + signal.SIGKILL)
"""A container's first process does not hear SIGTERM unless it listens; a local one does."""


async def ended(subject: Subject, main: Manifest, **spec: object) -> Manifest:
    """The end of the one container of a new pod."""
    made = pod(subject.namespace, main, **spec)
    await subject.cluster.apply(made)
    found = terminated(await until(subject.cluster, made, terminated))
    assert found is not None
    return found


async def test_the_log_stands_in_for_a_missing_message(subject: Subject) -> None:
    policy = {"terminationMessagePolicy": "FallbackToLogsOnError"}
    end = await ended(subject, container(subject.image, "raise SystemExit('went wrong')", **policy))
    assert end["message"] == "went wrong\n"


async def test_a_long_message_is_cut(subject: Subject) -> None:
    code = "import os; open(os.environ['TERMINATION_MESSAGE_PATH'], 'w').write('x' * 5000)"
    end = await ended(subject, container(subject.image, code, env=MESSAGE_PATH))
    assert end["message"] == "x" * 4096


async def test_a_command_that_is_not_there_is_told(subject: Subject) -> None:
    end = await ended(subject, container(subject.image, SLEEP) | {"command": ["nonesuch"]})
    assert (end["exitCode"], end["reason"]) == (128, "StartError")
    assert 'exec: "nonesuch": executable file not found' in end["message"]


async def test_config_maps_and_secrets_become_files(subject: Subject) -> None:
    await subject.cluster.apply(config_map(subject.namespace, a="1", b="2"))
    secret = {"stringData": {"token": "abc"}, "kind": "Secret", "apiVersion": "v1"}
    meta = {"name": "key", "namespace": subject.namespace}
    await subject.cluster.apply(secret | {"metadata": meta})
    items = [{"key": "a", "path": "x/y"}]
    volumes = [
        {"name": "settings", "configMap": {"name": "settings", "items": items}},
        {"name": "key", "secret": {"secretName": "key"}},
    ]
    code = """
import os, pathlib
settings, key = (pathlib.Path(os.environ["MOUNT_" + name]) for name in ("SETTINGS", "KEY"))
names = sorted(str(path.relative_to(settings)) for path in settings.glob("[!.]*/*"))
with open(os.environ["TERMINATION_MESSAGE_PATH"], "w") as message:
    print(names, (settings / "x/y").read_text(), (key / "token").read_text(), file=message, end="")
"""
    names = ("settings", "key")
    mounts = [{"name": f"MOUNT_{name.upper()}", "value": f"/{name}"} for name in names]
    main = container(
        subject.image,
        code,
        env=[*MESSAGE_PATH, *mounts],
        volumeMounts=[{"name": name, "mountPath": f"/{name}"} for name in names],
    )
    end = await ended(subject, main, volumes=volumes)
    assert end["message"] == "['x/y'] 1 abc"


async def test_liveness_restarts_what_hangs(subject: Subject) -> None:
    probe = {"tcpSocket": {"port": "http"}, "periodSeconds": 1, "failureThreshold": 1}
    ports = [{"name": "http", "containerPort": 1}]
    main = container(subject.image, SLEEP, livenessProbe=probe, ports=ports)
    made = pod(subject.namespace, main, restartPolicy="Always")
    await subject.cluster.apply(made)
    found = await until(subject.cluster, made, lambda p: restarts(p) >= 1)
    (status,) = found["status"]["containerStatuses"]
    assert status["lastState"]["terminated"]["exitCode"] in BY_SIGNAL


async def test_startup_that_takes_too_long_is_given_up(subject: Subject) -> None:
    check = {"command": ["python", "-c", "raise SystemExit('not yet')"]}
    probe = {"exec": check, "periodSeconds": 1, "failureThreshold": 1, "timeoutSeconds": 20}
    made = pod(subject.namespace, container(subject.image, SLEEP, startupProbe=probe))
    await subject.cluster.apply(made)
    found = await until(subject.cluster, made, lambda p: phase(p) == "Failed")
    (status,) = found["status"]["containerStatuses"]
    assert status["started"] is False
    assert status["state"]["terminated"]["exitCode"] in BY_SIGNAL


async def test_sidecars_end_in_reverse_order(subject: Subject) -> None:
    """Each adds its name to a file when it is asked to end; the last tells what it found there."""
    code = """
import os, signal, sys, time
scratch = os.environ["MOUNT_SCRATCH"]
def end(*_):
    order = open(scratch + "/order", "a+")
    order.write("{name}")
    order.seek(0)
    open(os.environ["TERMINATION_MESSAGE_PATH"], "w").write(order.read())
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
open(scratch + "/{name}", "w").close()
while True:
    time.sleep(600)
"""
    up = "import os, sys; sys.exit(not os.path.exists(os.environ['MOUNT_SCRATCH'] + '/{name}'))"
    mount = {
        "env": [*MESSAGE_PATH, {"name": "MOUNT_SCRATCH", "value": "/scratch"}],
        "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
    }

    def sidecar(name: str) -> Manifest:
        check = {"command": ["python", "-c", up.replace("{name}", name)]}
        probe = {"exec": check, "periodSeconds": 1, "failureThreshold": 60, "timeoutSeconds": 20}
        text = code.replace("{name}", name)
        fields = {"restartPolicy": "Always", "startupProbe": probe, **mount}
        return container(subject.image, text, name, **fields)

    made = pod(
        subject.namespace,
        container(subject.image, "pass"),
        initContainers=[sidecar("a"), sidecar("b")],
        volumes=[{"name": "scratch", "emptyDir": {}}],
        terminationGracePeriodSeconds=20,
    )
    await subject.cluster.apply(made)
    found = await until(subject.cluster, made, lambda p: phase(p) == "Succeeded")
    first, second = found["status"]["initContainerStatuses"]
    assert second["state"]["terminated"]["message"] == "b"
    assert first["state"]["terminated"]["message"] == "ba"
