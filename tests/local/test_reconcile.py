"""The reconcile loop over real processes, with failures put in its way."""

import asyncio
import json

import pytest

from proctor_operator.cluster import Ref
from tests.local.conftest import World, deployment, eventually, run

MD, ER = "ModelDeployment", "EvaluationRun"


async def test_a_run_gets_its_scores(world: World) -> None:
    await world.cluster.apply(deployment())
    await world.cluster.apply(run())
    await world.condition(ER, "Succeeded", "True", "AllScored")
    status = (await world.get(ER) or {})["status"]
    assert status["score"] == "0.7500 ± 0.0300"
    assert status["progress"] == "200/200"
    assert status["evaluations"][0]["provenance"]["checkpointDigest"] == "sha256:0"


async def test_a_run_waits_for_its_deployment(world: World) -> None:
    await world.cluster.apply(run())
    await world.condition(ER, "TargetReady", "False", "DeploymentNotFound")
    assert not await world.jobs()
    await world.cluster.apply(deployment())
    await world.condition(ER, "Succeeded", "True", "AllScored")


async def test_two_runs_on_one_deployment(world: World) -> None:
    for manifest in (deployment(), run("one"), run("two")):
        await world.cluster.apply(manifest)
    for name in ("one", "two"):
        await world.condition(ER, "Succeeded", "True", "AllScored", name)


async def test_the_server_tells_why_it_cannot_serve(world: World) -> None:
    failure = {"reason": "CheckpointCorrupt", "message": "no metadata.json"}
    (world.model / "failure").write_text(json.dumps(failure))
    await world.cluster.apply(deployment())
    await world.cluster.apply(run())
    words = await world.condition(MD, "Ready", "False", "CheckpointCorrupt")
    assert words == "no metadata.json"
    await world.condition(ER, "TargetReady", "False", "DeploymentNotReady")
    (world.model / "failure").unlink()
    await world.condition(ER, "Succeeded", "True", "AllScored")


async def test_a_missing_image_is_a_condition(world: World) -> None:
    await world.cluster.apply(deployment(backend={"triton": {"image": "proctor/nothing:1"}}))
    words = await world.condition(MD, "Ready", "False", "ImagePullFailed")
    assert "proctor/nothing:1" in words


async def test_an_overlay_that_fits_no_pod_is_a_condition(world: World) -> None:
    await world.cluster.apply(deployment(pod={"nodeSelecter": {}}))
    words = await world.condition(MD, "Accepted", "False", "ChildRejected")
    assert ".nodeSelecter: field not declared in schema" in words
    await world.cluster.apply(deployment())
    await world.condition(MD, "Ready", "True", "AllReplicasReady")


async def test_gpus_that_are_not_there_are_a_condition(world: World) -> None:
    await world.cluster.apply(deployment(gpusPerNode=1))
    words = await world.condition(MD, "Ready", "False", "Unschedulable")
    assert "nvidia.com/gpu" in words


async def test_a_missing_secret_holds_the_run_until_it_is_there(world: World) -> None:
    key = {"name": "key", "key": "token"}
    end = {"url": "http://127.0.0.1:1", "model": "m", "apiKeySecretRef": key}
    await world.cluster.apply(run(target={"endpoint": end}))
    words = await world.condition(ER, "Running", "False", "ContainerConfigInvalid")
    assert "key" in words
    await world.cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "key", "namespace": "default"},
            "stringData": {"token": "x"},
        }
    )
    await world.condition(ER, "Succeeded", "True", "AllScored")


@pytest.mark.parametrize("reason", ["UnknownTask", "ParameterInvalid"])
async def test_wrong_input_fails_at_once(world: World, reason: str) -> None:
    message = json.dumps({"reason": reason, "message": "the words"})
    await world.cluster.apply(deployment())
    await world.cluster.apply(run(extra={"exit": "64", "message": message}))
    words = await world.condition(ER, "Succeeded", "False", reason)
    assert words == "lm-eval: the words"


async def test_a_wrong_chain_of_the_adapter_fails_the_run_and_leaves_no_pod(world: World) -> None:
    await world.cluster.apply(deployment())
    await world.cluster.apply(run(adapter={"interceptors": [{"name": "system_mesage"}]}))
    words = await world.condition(ER, "Succeeded", "False", "ParameterInvalid")
    assert "adapter: interceptors.0.name='system_mesage'" in words
    assert "did you mean system_message" in words

    async def nothing() -> bool:
        labels = {"proctor.dev/run": "arithmetic"}
        pods = await world.cluster.list("v1", "Pod", "default", labels)
        return not pods and not await world.jobs()

    await eventually(nothing)
    await world.cluster.apply(run(adapter={"interceptors": [{"name": "system_message"}]}))
    await world.condition(ER, "Succeeded", "False", "ParameterInvalid")
    good = {"interceptors": [{"name": "system_message", "config": {"system_message": "Hi $(A)"}}]}
    await world.cluster.apply(run(adapter=good))
    await world.condition(ER, "Succeeded", "True", "AllScored")


async def test_a_crash_is_retried_and_then_told(world: World) -> None:
    message = json.dumps({"reason": "HarnessFailed", "message": "ZeroDivisionError"})
    await world.cluster.apply(deployment())
    await world.cluster.apply(run(extra={"exit": "1", "message": message}, retry={"limit": 1}))
    await world.condition(ER, "Succeeded", "False", "HarnessFailed")
    (job,) = await world.jobs()
    assert job["status"]["failed"] == 2


async def test_no_sample_is_no_score(world: World) -> None:
    await world.cluster.apply(deployment())
    await world.cluster.apply(run(extra={"message": '{"results":[]}'}))
    await world.condition(ER, "Succeeded", "False", "Unscored")


async def test_a_deleted_run_leaves_nothing(world: World) -> None:
    await world.cluster.apply(deployment())
    await world.cluster.apply(run(extra={"sleep": "60"}))
    await world.condition(ER, "Running", "True", "JobsRunning")
    manifest = await world.get(ER)
    assert manifest
    await world.cluster.delete(Ref.of(manifest))

    async def nothing() -> bool:
        labels = {"proctor.dev/run": "arithmetic"}
        pods = await world.cluster.list("v1", "Pod", "default", labels)
        return not pods and not await world.jobs()

    await eventually(nothing)


async def test_a_deleted_deployment_ends_the_job_and_its_return_starts_it_anew(
    world: World,
) -> None:
    await world.cluster.apply(deployment())
    await world.cluster.apply(run(extra={"sleep": "1"}))
    await world.condition(ER, "Running", "True", "JobsRunning")
    manifest = await world.get(MD)
    assert manifest
    await world.cluster.delete(Ref.of(manifest))
    await world.condition(ER, "TargetReady", "False", "DeploymentNotFound")

    async def no_jobs() -> bool:
        return not await world.jobs()

    await eventually(no_jobs)
    await world.cluster.apply(deployment())
    await world.condition(ER, "Succeeded", "True", "AllScored")


async def test_children_come_back(world: World) -> None:
    await world.cluster.apply(deployment())
    await world.condition(MD, "Ready", "True", "AllReplicasReady")
    service = await world.get("Service")
    assert service
    await world.cluster.delete(Ref.of(service))

    async def back() -> bool:
        found = await world.get("Service")
        return bool(found and found["metadata"]["uid"] != service["metadata"]["uid"])

    await eventually(back)


@pytest.mark.parametrize("moment", [0.0, 0.05, 0.2, 0.5, 1.0, 2.0])
async def test_an_operator_that_dies_anywhere_ends_at_the_same_place(
    world: World, moment: float
) -> None:
    await world.cluster.apply(deployment())
    await world.cluster.apply(run(extra={"sleep": "0.5"}))
    await asyncio.sleep(moment)
    await world.stop_operator()
    await asyncio.sleep(0.3)
    jobs = await world.jobs()
    await world.start_operator()
    await world.condition(ER, "Succeeded", "True", "AllScored")
    after = await world.jobs()
    assert len(after) == 1
    if jobs:
        assert after[0]["metadata"]["uid"] == jobs[0]["metadata"]["uid"]
