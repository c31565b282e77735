"""`proctor run`: the operator's own reconcile over a cluster of local processes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from proctor_cli.documents import Documents
from proctor_cli.local.cluster import LocalCluster
from proctor_crds.reasons import ConditionType
from proctor_operator.cluster import Manifest, Ref
from proctor_operator.reconcile import reconcile
from proctor_operator.routing import Key, Router
from proctor_operator.settings import Settings
from proctor_operator.status import find
from proctor_operator.work_queue import WorkQueue

SETTINGS = Settings(progress_seconds=1)
CLUSTER_FIELDS = {"queueName", "ttlSecondsAfterFinished"}
"""Fields of a spec that are dropped: no Kueue is here to start what would wait in a queue, and a
run that deleted itself could not be shown."""


@asynccontextmanager
async def controlled(cluster: LocalCluster, settings: Settings = SETTINGS) -> AsyncIterator[None]:
    """Reconcile whatever changes in `cluster` for as long as the block runs."""

    async def work(key: Key) -> timedelta | None:
        return await reconcile(key, cluster, settings, datetime.now(UTC))

    router, queue = Router(), WorkQueue(work)

    def look(manifest: Manifest) -> None:
        for key in router.keys(manifest):
            queue.add(key)

    forget = cluster.watch(lambda change: look(change.object))
    for manifest in cluster.everything():
        look(manifest)
    workers = asyncio.create_task(queue.run())
    try:
        yield
    finally:
        forget()
        workers.cancel()
        await asyncio.gather(workers, return_exceptions=True)


async def run(
    documents: Documents,
    cluster: LocalCluster,
    show: Callable[[list[Manifest]], None],
) -> list[Manifest]:
    """Apply the documents and show them as they change, until every EvaluationRun has ended.

    With no EvaluationRun among them it serves until cancelled. Returns the resources as they ended.
    """
    changes = asyncio.Event()
    cluster.watch(lambda _: changes.set())
    async with controlled(cluster):
        for manifest in [*documents.others, *map(without_cluster_fields, documents.resources)]:
            await cluster.apply(manifest)
        while True:
            changes.clear()
            current = await stored(documents, cluster)
            show(current)
            if documents.of_kind("EvaluationRun") and all(map(ended, current)):
                return current
            await changes.wait()


def without_cluster_fields(manifest: Manifest) -> Manifest:
    """The resource without what its spec asks of a cluster that stays."""
    spec = {k: v for k, v in manifest["spec"].items() if k not in CLUSTER_FIELDS}
    return manifest | {"spec": spec}


async def stored(documents: Documents, cluster: LocalCluster) -> list[Manifest]:
    """The resources as the cluster has them now."""
    found = [await cluster.get(Ref.of(manifest)) for manifest in documents.resources]
    return [manifest for manifest in found if manifest]


def ended(manifest: Manifest) -> bool:
    """Whether nothing more is to be expected of the resource; a deployment is only waited on."""
    if manifest["kind"] != "EvaluationRun":
        return True
    found = condition(manifest, ConditionType.SUCCEEDED)
    return found is not None and found["status"] != "Unknown"


def passed(manifest: Manifest) -> bool:
    """Whether an EvaluationRun succeeded and its gate, if any, is passed for certain."""
    if manifest["kind"] != "EvaluationRun":
        return True
    succeeded = condition(manifest, ConditionType.SUCCEEDED)
    gate = condition(manifest, ConditionType.GATE_PASSED)
    return is_true(succeeded) and (gate is None or is_true(gate))


def is_true(found: Manifest | None) -> bool:
    """Whether the condition is there, and True."""
    return found is not None and found["status"] == "True"


def condition(manifest: Manifest, kind: ConditionType) -> Manifest | None:
    """One condition of a resource that is up to date with its spec."""
    status = manifest.get("status") or {}
    if status.get("observedGeneration") != manifest["metadata"].get("generation"):
        return None
    return find(status.get("conditions", []), kind)
