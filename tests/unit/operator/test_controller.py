"""Changes are noted from the start, and reconciled by whoever leads."""

import asyncio
from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry

from proctor_operator.cluster import Cluster, Manifest, Ref, Rejected
from proctor_operator.controller import STUCK, Controller, Lead
from proctor_operator.leadership import Duty, alone
from proctor_operator.metrics import Metrics
from proctor_operator.settings import Settings
from tests import virtual_time
from tests.builders import condition_of, deployment_manifest, run_manifest
from tests.memory_cluster import Memory, holding, kinds


def controller(
    cluster: Cluster, lead: Lead = alone, registry: CollectorRegistry | None = None
) -> Controller:
    metrics = Metrics(registry or CollectorRegistry())
    return Controller(cluster, Settings(), metrics, lead)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  no step of the controller has an event
            await asyncio.sleep(0.01)


async def ended(running: "asyncio.Task[None]") -> None:
    running.cancel()
    await asyncio.wait([running])


def made(cluster: Memory) -> bool:
    return "Deployment" in kinds(cluster)


async def test_what_changed_before_this_replica_led_is_reconciled_once_it_leads() -> None:
    elected, manifest = asyncio.Event(), deployment_manifest()
    cluster, registry = holding(manifest), CollectorRegistry()

    async def lead(duty: Duty) -> None:
        await elected.wait()
        await duty()

    found = controller(cluster, lead, registry)
    running = asyncio.create_task(found.run())
    found.changed(manifest)
    await asyncio.sleep(0.05)
    assert kinds(cluster) == ["ModelDeployment"]
    assert registry.get_sample_value("proctor_leader") == 0
    assert registry.get_sample_value("proctor_queue_depth") == 1
    elected.set()
    await until(lambda: made(cluster))
    assert registry.get_sample_value("proctor_leader") == 1
    await ended(running)


async def test_a_deployment_that_is_gone_reaches_the_runs_that_wait_for_it() -> None:
    deployment, run = deployment_manifest(), run_manifest()
    cluster = holding(run)
    found = controller(cluster)
    found.changed(run)
    running = asyncio.create_task(found.run())
    await until(lambda: len(cluster.statuses) == 1)
    cluster.objects[Ref.of(deployment)] = deployment
    found.changed(deployment)
    await until(lambda: "being looked at" in str(run["status"]["conditions"]))
    del cluster.objects[Ref.of(deployment)]
    found.deleted(deployment)
    await until(lambda: "DeploymentNotFound" in str(run["status"]["conditions"]))
    await ended(running)


async def test_what_ends_the_duty_ends_the_controller() -> None:
    async def lead(_: Duty) -> None:
        raise RuntimeError("lost")

    with pytest.raises(RuntimeError, match="lost"):
        await controller(Memory(), lead).run()


ENOUGH = 100


class Moody(Memory):
    """A cluster that refuses every child, each time in other words, and tells of each write."""

    refusals = 0
    controller: Controller

    async def apply(self, manifest: Manifest) -> Manifest:  # noqa: ARG002
        self.refusals += 1
        raise Rejected(f"overlay: (*bool)(0x{self.refusals:x})")

    async def apply_status(self, manifest: Manifest) -> Manifest:
        written = await super().apply_status(manifest)
        # Time stands still in a loop without a pause.
        if len(self.statuses) < ENOUGH:
            self.controller.changed(self.objects[Ref.of(manifest)])
        return written


def test_a_refusal_in_ever_other_words_is_written_no_oftener_than_it_is_tried() -> None:
    async def scene() -> tuple[list[int], str]:
        manifest = deployment_manifest()
        cluster = Moody({Ref.of(manifest): manifest})
        cluster.controller = controller(cluster)
        running = asyncio.create_task(cluster.controller.run())
        cluster.controller.changed(manifest)
        counts = []
        for seconds in (50, 60):
            await asyncio.sleep(seconds)
            counts += [len(cluster.statuses), cluster.refusals]
        await ended(running)
        return counts, condition_of(manifest["status"]["conditions"], "Ready")["message"]

    counts, told = virtual_time.run(scene())
    assert counts == [1, 2, 2, 4]
    assert "0x4" in told


class Silent(Memory):
    """A cluster that never answers."""

    async def get(self, ref: Ref) -> None:  # noqa: ARG002
        await asyncio.Event().wait()


def test_a_look_that_never_ends_is_noticed() -> None:
    async def scene() -> tuple[str | None, str | None]:
        found = controller(Silent())
        running = asyncio.create_task(found.run())
        found.changed(run_manifest())
        await asyncio.sleep(STUCK.total_seconds() - 1)
        before = found.stuck()
        await asyncio.sleep(1)
        after = found.stuck()
        await ended(running)
        return before, after

    before, after = virtual_time.run(scene())
    assert before is None
    assert after
    assert "name='run'" in after
    assert after.endswith("has been reconciled for 600 s")


async def test_who_has_nothing_to_do_is_not_stuck() -> None:
    assert controller(Memory()).stuck() is None
