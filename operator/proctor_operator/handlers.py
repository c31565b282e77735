"""Wiring: kopf's watches into the work queue. The only import of kopf.

Every watch is `on.event`: no finalizers, no annotations on anyone's objects, no state that a
restart would lose.
"""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import kopf

from proctor_crds.common import GROUP, VERSION
from proctor_operator.children.naming import DEPLOYMENT_LABEL, RUN_LABEL
from proctor_operator.kubernetes_cluster import KubernetesCluster
from proctor_operator.reconcile import reconcile
from proctor_operator.routing import Key, Router
from proctor_operator.settings import Settings
from proctor_operator.work_queue import WorkQueue


@kopf.on.startup()
async def start(settings: kopf.OperatorSettings, memo: kopf.Memo, **_: Any) -> None:
    """Connect, and start the workers."""
    settings.posting.enabled = False
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 330
    settings.networking.request_timeout = 30
    # A namespaced Role may not list namespaces and CRDs; kopf would try for a minute and a half.
    settings.scanning.disabled = bool(os.environ.get("WATCH_NAMESPACES"))
    cluster, own = await KubernetesCluster.connect(), Settings.from_environment(os.environ)

    async def work(key: Key) -> timedelta | None:
        return await reconcile(key, cluster, own, datetime.now(UTC))

    memo.cluster, memo.router, memo.queue = cluster, Router(), WorkQueue(work)
    memo.workers = asyncio.create_task(memo.queue.run())


@kopf.on.cleanup()
async def stop(memo: kopf.Memo, **_: Any) -> None:
    """Stop the workers, and hang up."""
    memo.workers.cancel()
    await memo.cluster.__aexit__()


@kopf.on.event(GROUP, VERSION, "modeldeployments")
@kopf.on.event(GROUP, VERSION, "evaluationruns")
@kopf.on.event("apps", "v1", "deployments", labels={DEPLOYMENT_LABEL: kopf.PRESENT})
@kopf.on.event("", "v1", "services", labels={DEPLOYMENT_LABEL: kopf.PRESENT})
@kopf.on.event("", "v1", "pods", labels={DEPLOYMENT_LABEL: kopf.PRESENT})
@kopf.on.event("batch", "v1", "jobs", labels={RUN_LABEL: kopf.PRESENT})
@kopf.on.event("", "v1", "pods", labels={RUN_LABEL: kopf.PRESENT})
async def changed(event: kopf.RawEvent, memo: kopf.Memo, **_: Any) -> None:
    """Something happened: look at whoever it concerns."""
    deleted = event["type"] == "DELETED"
    concerned = memo.router.keys_of_deleted if deleted else memo.router.keys
    for key in concerned(dict(event["object"])):
        memo.queue.add(key)
