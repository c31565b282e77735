"""Deployments, Jobs and Services, as the operator reads them."""

import asyncio

import pytest

from proctor_operator.cluster import Ref
from tests.contract.cluster.manifests import (
    MESSAGE_PATH,
    PATIENCE_SECONDS,
    SLEEP,
    condition,
    container,
    deployment,
    gone,
    holds,
    job,
    phase,
    pods_of,
    server,
    sidecar,
    some_pod,
    terminated,
    termination_message,
    until,
)
from tests.contract.cluster.subjects import Subject

pytestmark = pytest.mark.needs_node

# A node learns of a Service's pods a while after they are ready, as of its name.
ASK = """
import time, urllib.request
for left in reversed(range(60)):
    try:
        urllib.request.urlopen("{url}/v1/models", timeout=5)
        break
    except OSError:
        if not left:
            raise
        time.sleep(1)
"""


async def test_a_deployment_becomes_available(subject: Subject) -> None:
    made = await subject.cluster.apply(deployment(subject.namespace, server(subject.image)))
    found = await until(subject.cluster, made, holds("Available"))
    status = found["status"]
    assert status["observedGeneration"] == found["metadata"]["generation"]
    assert status["readyReplicas"] == status["updatedReplicas"] == status["availableReplicas"] == 1
    assert "unavailableReplicas" not in status
    assert condition(found, "Progressing")["reason"] == "NewReplicaSetAvailable"
    (pod,) = await pods_of(subject.cluster, subject.namespace)
    assert condition(pod, "Ready")["status"] == "True"
    (status,) = pod["status"]["containerStatuses"]
    assert status["imageID"]


async def test_a_changed_template_replaces_the_pods(subject: Subject) -> None:
    first = await subject.cluster.apply(deployment(subject.namespace, server(subject.image)))
    await until(subject.cluster, first, holds("Available"))
    (before,) = await pods_of(subject.cluster, subject.namespace)
    changed = server(subject.image)
    changed["env"].append({"name": "EXTRA", "value": "1"})
    second = await subject.cluster.apply(deployment(subject.namespace, changed))
    assert second["metadata"]["generation"] == first["metadata"]["generation"] + 1
    await gone(subject.cluster, before)
    await until(subject.cluster, second, lambda d: d["status"].get("readyReplicas") == 1)
    (after,) = await pods_of(subject.cluster, subject.namespace)
    assert {"name": "EXTRA", "value": "1"} in after["spec"]["containers"][0]["env"]


async def test_recreate_ends_the_old_pods_before_it_makes_new_ones(subject: Subject) -> None:
    recreate = {"type": "Recreate"}
    made = deployment(subject.namespace, server(subject.image), strategy=recreate)
    made = await subject.cluster.apply(made)
    await until(subject.cluster, made, holds("Available"))
    (before,) = await pods_of(subject.cluster, subject.namespace)
    changed = server(subject.image)
    changed["env"].append({"name": "EXTRA", "value": "1"})
    made = deployment(subject.namespace, changed, strategy=recreate)
    await subject.cluster.apply(made)
    name = before["metadata"]["name"]
    while name in (running := await _running_pods(subject)):
        assert len(running) == 1
        await asyncio.sleep(0.02)
    await some_pod(
        subject.cluster,
        subject.namespace,
        lambda p: p["metadata"]["name"] != name and holds("Ready")(p),
    )


async def _running_pods(subject: Subject) -> set[str]:
    """Names of pods whose containers run or will: not of those that have ended and linger."""
    pods = await pods_of(subject.cluster, subject.namespace)
    return {p["metadata"]["name"] for p in pods if phase(p) not in ("Succeeded", "Failed")}


async def test_suspending_ends_a_pod_without_counting_it(subject: Subject) -> None:
    main = server(subject.image)
    made = await subject.cluster.apply(job(subject.namespace, main))
    pod = await some_pod(subject.cluster, subject.namespace, holds("Ready"))
    await subject.cluster.apply(job(subject.namespace, main, suspend=True))
    await gone(subject.cluster, pod)
    found = await until(subject.cluster, made, holds("Suspended"))
    assert "failed" not in found["status"]
    assert "active" not in found["status"]


async def test_a_deployment_that_is_not_ready_says_so(subject: Subject) -> None:
    made = deployment(subject.namespace, container("localhost:1/proctor/nonesuch:0", SLEEP))
    await subject.cluster.apply(made)
    found = await until(subject.cluster, made, lambda d: condition(d, "Available"))
    assert condition(found, "Available")["reason"] == "MinimumReplicasUnavailable"
    assert found["status"]["unavailableReplicas"] == 1
    assert "readyReplicas" not in found["status"]


async def test_a_deployment_that_makes_no_progress_says_so(subject: Subject) -> None:
    main = container("localhost:1/proctor/nonesuch:0", SLEEP)
    made = deployment(subject.namespace, main, progressDeadlineSeconds=1)
    await subject.cluster.apply(made)
    found = await until(
        subject.cluster, made, lambda d: condition(d, "Progressing").get("status") == "False"
    )
    assert condition(found, "Progressing")["reason"] == "ProgressDeadlineExceeded"


async def test_a_pod_that_is_deleted_is_made_anew(subject: Subject) -> None:
    await subject.cluster.apply(deployment(subject.namespace, container(subject.image, SLEEP)))
    before = await some_pod(subject.cluster, subject.namespace, holds("Ready"))
    await subject.cluster.delete(Ref.of(before))
    name = before["metadata"]["name"]
    await some_pod(
        subject.cluster,
        subject.namespace,
        lambda p: p["metadata"]["name"] != name and holds("Ready")(p),
    )


async def test_a_job_succeeds(subject: Subject) -> None:
    code = termination_message("42", 0)
    made = job(subject.namespace, container(subject.image, code, env=MESSAGE_PATH))
    await subject.cluster.apply(made)
    found = await until(subject.cluster, made, holds("Complete"))
    status = found["status"]
    assert status["succeeded"] == 1
    assert "active" not in status
    assert {"startTime", "completionTime"} <= status.keys()
    assert condition(found, "SuccessCriteriaMet")["status"] == "True"
    (pod,) = await subject.cluster.list("v1", "Pod", subject.namespace, {"job-name": "work"})
    ended = terminated(pod)
    assert ended is not None
    assert (ended["exitCode"], ended["reason"], ended["message"]) == (0, "Completed", "42")


async def test_each_index_of_an_indexed_job_succeeds_once(subject: Subject) -> None:
    field = "metadata.annotations['batch.kubernetes.io/job-completion-index']"
    index = {"name": "INDEX", "valueFrom": {"fieldRef": {"fieldPath": field}}}
    say = "import os; open(os.environ['TERMINATION_MESSAGE_PATH'], 'w').write(os.environ['INDEX'])"
    main = container(subject.image, say, env=[*MESSAGE_PATH, index])
    made = job(subject.namespace, main, completions=3, parallelism=2, completionMode="Indexed")
    await subject.cluster.apply(made)
    found = await until(subject.cluster, made, holds("Complete"))
    assert found["status"]["succeeded"] == 3
    assert found["status"]["completedIndexes"] == "0-2"
    pods = await pods_of(subject.cluster, subject.namespace)
    told = {(terminated(pod) or {})["message"]: pod["metadata"]["name"] for pod in pods}
    assert sorted(told) == ["0", "1", "2"]
    assert all(name.startswith(f"work-{message}-") for message, name in told.items())


async def test_a_job_fails_after_its_retries(subject: Subject) -> None:
    made = job(subject.namespace, container(subject.image, "raise SystemExit(1)"), backoffLimit=1)
    await subject.cluster.apply(made)
    found = await until(subject.cluster, made, holds("Failed"))
    assert condition(found, "Failed")["reason"] == "BackoffLimitExceeded"
    assert found["status"]["failed"] == 2
    codes = [terminated(pod) for pod in await pods_of(subject.cluster, subject.namespace)]
    assert [code and code["exitCode"] for code in codes] == [1, 1], "their last words stay"


async def test_an_exit_code_fails_the_job_at_once(subject: Subject) -> None:
    exit_codes = {"containerName": "main", "operator": "In", "values": [64]}
    policy = {"rules": [{"action": "FailJob", "onExitCodes": exit_codes}]}
    main = container(subject.image, "raise SystemExit(64)")
    made = job(subject.namespace, main, backoffLimit=6, podFailurePolicy=policy)
    await subject.cluster.apply(made)
    found = await until(subject.cluster, made, holds("Failed"))
    assert condition(found, "Failed")["reason"] == "PodFailurePolicy"
    assert "failed with exit code 64 matching FailJob rule" in condition(found, "Failed")["message"]
    assert found["status"]["failed"] == 1
    (pod,) = await pods_of(subject.cluster, subject.namespace)
    assert terminated(pod) is not None, "its last words stay"


async def test_a_job_runs_out_of_time(subject: Subject) -> None:
    made = job(subject.namespace, container(subject.image, SLEEP), activeDeadlineSeconds=1)
    await subject.cluster.apply(made)
    found = await until(subject.cluster, made, holds("Failed"))
    assert condition(found, "Failed")["reason"] == "DeadlineExceeded"


async def test_a_suspended_job_waits(subject: Subject) -> None:
    main = container(subject.image, "pass")
    made = await subject.cluster.apply(job(subject.namespace, main, suspend=True))
    await until(subject.cluster, made, holds("Suspended"))
    assert await pods_of(subject.cluster, subject.namespace) == []
    await subject.cluster.apply(job(subject.namespace, main, suspend=False))
    found = await until(subject.cluster, made, holds("Complete"))
    assert condition(found, "Suspended")["status"] == "False"


async def test_a_finished_job_is_deleted_after_its_time(subject: Subject) -> None:
    main = container(subject.image, "pass")
    made = job(subject.namespace, main, ttlSecondsAfterFinished=0)
    await subject.cluster.apply(made)
    await gone(subject.cluster, made)


@pytest.mark.needs_pod_network
async def test_a_sidecar_is_asked_while_the_main_container_runs(subject: Subject) -> None:
    made = job(
        subject.namespace,
        container(subject.image, SLEEP),
        pod={"initContainers": [sidecar(subject.image)]},
    )
    await subject.cluster.apply(made)
    pod = await some_pod(subject.cluster, subject.namespace, holds("Ready"))
    answer = await subject.cluster.get_json(pod, "http", "/progress")
    assert answer == {"path": "/progress"}


async def test_a_sidecar_serves_the_main_container_and_ends_after_it(subject: Subject) -> None:
    ask = (
        "import os, urllib.request;"
        "url = 'http://127.0.0.1:' + os.environ['PORT_HTTP'] + '/hello';"
        "text = urllib.request.urlopen(url).read().decode();"
        "open(os.environ['TERMINATION_MESSAGE_PATH'], 'w').write(text)"
    )
    env = [*MESSAGE_PATH, {"name": "PORT_HTTP", "value": "8080"}]
    made = job(
        subject.namespace,
        container(subject.image, ask, env=env),
        pod={"initContainers": [sidecar(subject.image)]},
    )
    await subject.cluster.apply(made)
    await until(subject.cluster, made, holds("Complete"))
    (pod,) = await pods_of(subject.cluster, subject.namespace)
    ended = terminated(pod)
    assert ended is not None
    assert ended["message"] == '{"path": "/hello"}'
    assert "terminated" in pod["status"]["initContainerStatuses"][0]["state"]


async def test_deleting_a_job_ends_its_pods(subject: Subject) -> None:
    made = job(subject.namespace, server(subject.image))
    await subject.cluster.apply(made)
    pod = await some_pod(subject.cluster, subject.namespace, holds("Ready"))
    await subject.cluster.delete(Ref.of(made))
    await gone(subject.cluster, made)
    await gone(subject.cluster, pod)


async def test_deleting_a_deployment_ends_its_pods(subject: Subject) -> None:
    made = await subject.cluster.apply(deployment(subject.namespace, server(subject.image)))
    pod = await some_pod(subject.cluster, subject.namespace, bool)
    await subject.cluster.delete(Ref.of(made))
    await gone(subject.cluster, made)
    await gone(subject.cluster, pod)
    assert await pods_of(subject.cluster, subject.namespace) == []


async def test_a_service_leads_pods_to_ready_pods(subject: Subject) -> None:
    port = {"name": "http", "port": 80, "targetPort": "http"}
    await subject.cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "serve", "namespace": subject.namespace},
            "spec": {"selector": {"app": "subject"}, "ports": [port]},
        }
    )
    made = await subject.cluster.apply(deployment(subject.namespace, server(subject.image)))
    await until(subject.cluster, made, holds("Available"))
    url = subject.cluster.service_url(subject.namespace, "serve", 80)
    assert not url.endswith("/")
    asking = job(subject.namespace, container(subject.image, ASK.format(url=url)), backoffLimit=0)
    asking["spec"]["template"]["metadata"]["labels"] = {"app": "asking"}
    await subject.cluster.apply(asking)
    await until(subject.cluster, asking, holds("Complete"), 2 * PATIENCE_SECONDS)
