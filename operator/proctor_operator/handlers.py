"""Wiring: kopf's watches into the controller. The only import of kopf beside `__main__`.

Every watch is `on.event`: no finalizers, no annotations on anyone's objects, no state that a
restart would lose.
"""

import asyncio
import os
import socket
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import kopf
import structlog
from prometheus_client import REGISTRY, start_http_server

from proctor_crds.common import GROUP, VERSION
from proctor_crds.kinds import KINDS
from proctor_operator.children.naming import MANAGED_BY
from proctor_operator.cluster import Ref
from proctor_operator.controller import Controller, Lead
from proctor_operator.kubernetes_cluster import KubernetesCluster
from proctor_operator.leadership import API_VERSION, KIND, Leadership, alone
from proctor_operator.metrics import Metrics
from proctor_operator.settings import Settings

log = structlog.get_logger()

PARENTS = tuple((GROUP, VERSION, kind.plural) for kind in KINDS.values())
CHILDREN = (
    ("apps", "v1", "deployments"),
    ("batch", "v1", "jobs"),
    ("", "v1", "services"),
    ("", "v1", "pods"),
)


@kopf.on.startup(errors=kopf.ErrorsMode.PERMANENT)
async def start(settings: kopf.OperatorSettings, memo: kopf.Memo, **_: Any) -> None:
    """Connect, and start to reconcile."""
    configure(settings)
    memo.cluster = await KubernetesCluster.connect()
    own, metrics = Settings.from_environment(os.environ), Metrics(REGISTRY)
    memo.controller = Controller(memo.cluster, own, metrics, election(os.environ, memo.cluster))
    if port := os.environ.get("METRICS_PORT"):
        start_http_server(int(port))
    memo.duty = asyncio.create_task(memo.controller.run())
    memo.duty.add_done_callback(lambda duty: ended(duty, memo))


def configure(settings: kopf.OperatorSettings) -> None:
    """Watch what is ours, and nothing by other means than watching."""
    settings.posting.enabled = False
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 330
    settings.networking.request_timeout = 30
    # A namespaced Role may not list namespaces and CRDs; kopf would try for a minute and a half.
    settings.scanning.disabled = bool(os.environ.get("WATCH_NAMESPACES"))
    # The apiserver picks them out: a cluster has many pods that are nobody's business here.
    ((label, value),) = MANAGED_BY.items()
    for resource in CHILDREN:
        settings.watching.label_selectors[resource] = f"{label}={value}"


def election(environment: Mapping[str, str], cluster: KubernetesCluster) -> Lead:
    """By the Lease that `LEASE` names as `namespace/name`; without, this process leads alone."""
    namespace, _, name = environment.get("LEASE", "").partition("/")
    if not name:
        return alone
    # As a pod its host's name is the pod's; the rest tells a container from the one before.
    identity = f"{socket.gethostname()}_{uuid4().hex[:8]}"
    return Leadership(cluster, Ref(API_VERSION, KIND, namespace, name), identity).lead


def ended(duty: "asyncio.Task[None]", memo: kopf.Memo) -> None:
    """Without its duty the process has no purpose: it ends, and the kubelet starts it anew."""
    if not duty.cancelled():
        log.critical("reconciling ended", exc_info=duty.exception())
        memo.failed = True
        memo.stop.set()


@kopf.on.cleanup()
async def stop(memo: kopf.Memo, **_: Any) -> None:
    """Stop reconciling, and hang up."""
    memo.duty.cancel()
    await asyncio.wait([memo.duty])
    await memo.cluster.__aexit__()
    # kopf would wait 5 s for whoever waits for this.
    memo.stop.set()


@kopf.on.probe(errors=kopf.ErrorsMode.PERMANENT)
async def reconciling(memo: kopf.Memo, **_: Any) -> None:
    """Liveness: fails where the process waits for what will never come."""
    problem = "reconciling ended" if memo.duty.done() else memo.controller.stuck()
    if problem:
        raise kopf.PermanentError(problem)


async def noticed(event: kopf.RawEvent, memo: kopf.Memo, **_: Any) -> None:
    """Something happened to an object of ours."""
    told = memo.controller.deleted if event["type"] == "DELETED" else memo.controller.changed
    told(dict(event["object"]))


for resource in (*PARENTS, *CHILDREN):
    kopf.on.event(*resource)(noticed)
