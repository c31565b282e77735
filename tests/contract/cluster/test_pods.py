"""Pods: what the operator reads of them when all goes well and when it does not."""

import pytest

from proctor_operator.cluster import Manifest, Ref
from tests.contract.cluster.manifests import (
    MESSAGE_PATH,
    SLEEP,
    condition,
    container,
    gone,
    holds,
    phase,
    pod,
    server,
    terminated,
    termination_message,
    until,
    waiting,
)
from tests.contract.cluster.subjects import Subject

pytestmark = pytest.mark.needs_node


async def test_a_termination_message_is_seen_with_the_exit_code(subject: Subject) -> None:
    code = termination_message('{"reason":"CheckpointNotFound"}', 64)
    made = pod(subject.namespace, container(subject.image, code, env=MESSAGE_PATH))
    await subject.cluster.apply(made)
    found = await until(subject.cluster, made, lambda p: phase(p) == "Failed")
    ended = terminated(found)
    assert ended is not None
    assert (ended["exitCode"], ended["reason"]) == (64, "Error")
    assert ended["message"] == '{"reason":"CheckpointNotFound"}'
    assert {"startedAt", "finishedAt"} <= ended.keys()


async def test_a_crash_loop_shows_the_last_end(subject: Subject) -> None:
    code = termination_message("no such checkpoint", 64)
    main = container(subject.image, code, env=MESSAGE_PATH)
    made = pod(subject.namespace, main, restartPolicy="Always")
    await subject.cluster.apply(made)
    found = await until(subject.cluster, made, lambda p: waiting(p, "CrashLoopBackOff"))
    (status,) = found["status"]["containerStatuses"]
    assert status["restartCount"] >= 1
    assert status["lastState"]["terminated"]["exitCode"] == 64
    assert status["lastState"]["terminated"]["message"] == "no such checkpoint"
    assert not status["ready"]
    assert phase(found) == "Running"


async def test_an_unknown_image_is_told_and_not_ended(subject: Subject) -> None:
    image = "localhost:1/proctor/nonesuch:0"
    made = pod(subject.namespace, container(image, SLEEP))
    await subject.cluster.apply(made)

    def refused(found: Manifest) -> bool:
        return waiting(found, "ErrImagePull") or waiting(found, "ImagePullBackOff")

    found = await until(subject.cluster, made, refused)
    assert phase(found) == "Pending"
    (status,) = found["status"]["containerStatuses"]
    assert image in status["state"]["waiting"]["message"]


async def test_a_gpu_too_many_is_unschedulable(subject: Subject) -> None:
    resources = {"limits": {"nvidia.com/gpu": "1000"}}
    made = pod(subject.namespace, container(subject.image, SLEEP, resources=resources))
    await subject.cluster.apply(made)
    found = await until(
        subject.cluster, made, lambda p: condition(p, "PodScheduled").get("status") == "False"
    )
    assert phase(found) == "Pending"
    assert condition(found, "PodScheduled")["reason"] == "Unschedulable"
    assert "Insufficient nvidia.com/gpu" in condition(found, "PodScheduled")["message"]
    assert not found["status"].get("containerStatuses")


async def test_a_claim_that_is_missing_is_unschedulable(subject: Subject) -> None:
    volume = {"name": "model", "persistentVolumeClaim": {"claimName": "nonesuch"}}
    made = pod(subject.namespace, container(subject.image, SLEEP), volumes=[volume])
    await subject.cluster.apply(made)
    found = await until(subject.cluster, made, lambda p: condition(p, "PodScheduled"))
    message = condition(found, "PodScheduled")["message"]
    assert 'persistentvolumeclaim "nonesuch" not found' in message


async def test_a_container_waits_for_its_secret(subject: Subject) -> None:
    reference = {"secretKeyRef": {"name": "key", "key": "token"}}
    code = "import os, sys; sys.exit(os.environ['API_KEY'] != 'abc')"
    env = [{"name": "API_KEY", "valueFrom": reference}]
    made = pod(subject.namespace, container(subject.image, code, env=env))
    await subject.cluster.apply(made)
    # A kubelet's first words may be that it has not yet read the namespace's Secrets.
    missing = ("CreateContainerConfigError", 'secret "key" not found')
    await until(subject.cluster, made, lambda p: waiting(p, *missing))
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "key", "namespace": subject.namespace},
        "stringData": {"token": "abc"},
    }
    await subject.cluster.apply(secret)
    await until(subject.cluster, made, lambda p: phase(p) == "Succeeded", 120)


async def test_init_containers_run_one_after_the_other(subject: Subject) -> None:
    mounts = [{"name": "scratch", "mountPath": "/scratch"}]
    env = [{"name": "MOUNT_SCRATCH", "value": "/scratch"}]

    def step(name: str, expected: str) -> Manifest:
        code = (
            "import os, pathlib;"
            "trace = pathlib.Path(os.environ['MOUNT_SCRATCH'], 'trace');"
            "text = trace.read_text() if trace.exists() else '';"
            f"assert text == {expected!r}, text;"
            f"trace.write_text(text + {name!r})"
        )
        return container(subject.image, code, name, env=env, volumeMounts=mounts)

    made = pod(
        subject.namespace,
        step("c", "ab"),
        initContainers=[step("a", ""), step("b", "a")],
        volumes=[{"name": "scratch", "emptyDir": {}}],
    )
    await subject.cluster.apply(made)
    found = await until(subject.cluster, made, lambda p: phase(p) in ("Succeeded", "Failed"))
    assert phase(found) == "Succeeded"


async def test_a_failed_init_container_fails_the_pod(subject: Subject) -> None:
    broken = container(subject.image, "raise SystemExit(3)", "broken")
    main = container(subject.image, "pass")
    made = pod(subject.namespace, main, initContainers=[broken])
    await subject.cluster.apply(made)
    found = await until(subject.cluster, made, lambda p: phase(p) == "Failed")
    assert condition(found, "Initialized")["reason"] == "ContainersNotInitialized"
    assert waiting(found, "PodInitializing")


@pytest.mark.needs_pod_network
async def test_only_a_json_object_of_some_length_with_status_200_is_an_answer(
    subject: Subject,
) -> None:
    made = pod(subject.namespace, server(subject.image))
    await subject.cluster.apply(made)
    found = await until(subject.cluster, made, holds("Ready"))
    assert await subject.cluster.get_json(found, "http", "/progress") == {"path": "/progress"}
    for path in ("/text", "/none", "/moved", "/list", "/deep", "/long", "/bomb"):
        assert await subject.cluster.get_json(found, "http", path) is None
    assert await subject.cluster.get_json(found, "nonesuch", "/") is None


@pytest.mark.needs_pod_network
async def test_a_deleted_pod_ends_and_goes(subject: Subject) -> None:
    made = pod(subject.namespace, server(subject.image))
    await subject.cluster.apply(made)
    found = await until(subject.cluster, made, holds("Ready"))
    await subject.cluster.delete(Ref.of(made))
    await gone(subject.cluster, made)
    assert await subject.cluster.get_json(found, "http", "/") is None


async def test_variables_refer_to_each_other(subject: Subject) -> None:
    code = (
        "import os, sys;"
        "open(os.environ['TERMINATION_MESSAGE_PATH'], 'w').write(' '.join(sys.argv[1:]))"
    )
    env = [
        *MESSAGE_PATH,
        {"name": "A", "value": "1"},
        {"name": "B", "value": "$(A)$(LATER)$$(A)"},
        {"name": "LATER", "value": "2"},
        {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ]
    args = ["$(B)", "$(NAME)", "$(NONE)", "$$(A)", "100%$"]
    made = pod(subject.namespace, container(subject.image, code, env=env, args=args))
    await subject.cluster.apply(made)
    found = await until(subject.cluster, made, terminated)
    ended = terminated(found)
    assert ended is not None
    assert ended["message"] == "1$(LATER)$(A) pod $(NONE) $(A) 100%$"
