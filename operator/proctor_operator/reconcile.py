"""The seven stages: parse, observe, desire, plan, act, judge, report.

Level-triggered: nothing is carried from one call to the next, so any event may be lost, repeated
or reordered. Desire, plan and judge are pure; observe, act and report are the only I/O.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from proctor_crds.kinds import KINDS
from proctor_crds.reasons import ConditionType, Reason
from proctor_crds.validation import SpecInvalidError
from proctor_operator import deployments, runs
from proctor_operator.cluster import Cluster, ClusterError, Event, Manifest, Ref, Rejected
from proctor_operator.metadata import ending, owned
from proctor_operator.plan import Plan, plan
from proctor_operator.resource import Resource, parsed, unparsed
from proctor_operator.routing import Key
from proctor_operator.settings import Settings
from proctor_operator.status import (
    FALSE,
    UNKNOWN,
    Condition,
    accepted,
    judged_before,
    merged,
    transitions,
)

log = structlog.get_logger()

LOOK_AGAIN = timedelta(hours=1)
"""What happens while a watch is broken may never be told: nothing is amiss for longer than this."""
REFUSED_AGAIN = timedelta(seconds=60)
"""A quota may be freed and a name given up, and nothing tells of either."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What a reconcile found, and when to look again."""

    conditions: Sequence[Condition]
    fields: Manifest
    again: timedelta | None = None
    error: ClusterError | None = None
    """Raised when all is told."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a plan."""

    refusal: str | None = None
    """Why the cluster does not take some children."""
    error: ClusterError | None = None
    """Why the rest of the plan was left."""


async def reconcile(
    key: Key, cluster: Cluster, settings: Settings, now: datetime
) -> timedelta | None:
    """Bring one resource nearer to its spec; returns when to come back though nothing happens.

    That is None for a resource that is no more. Raises ClusterError where the cluster does not
    answer: the caller tries again. What could be seen until then is told before.
    """
    manifest = await cluster.get(Ref("proctor.dev/v1alpha1", key.kind, key.namespace, key.name))
    if manifest is None or ending(manifest):
        return None
    resource = unparsed(manifest)
    try:
        resource = parsed(resource, KINDS[key.kind])
    except SpecInvalidError as error:
        judged = unaccepted(resource, str(error))
    else:
        judged = await STAGES[key.kind](resource, cluster, settings, now)
    await report(resource, judged, cluster, now)
    if judged.error:
        raise judged.error
    return min(judged.again or LOOK_AGAIN, LOOK_AGAIN)


def unaccepted(resource: Resource[Any], problem: str) -> Judged:
    """A spec that this version cannot read; the scores of an earlier one are not lost by it."""
    own = ("conditions", "observedGeneration")
    return Judged([accepted(problem)], {k: v for k, v in resource.status.items() if k not in own})


async def reconcile_deployment(
    owner: Resource[Any], cluster: Cluster, settings: Settings, now: datetime
) -> Judged:
    """Observe to judge, for a ModelDeployment."""
    observed = await deployments.observe(owner, cluster)
    steps = plan(deployments.desire(owner, settings), observed.children)
    outcome = await act(owner, steps, observed.children, cluster)
    conditions, fields = deployments.judge(owner, observed, settings)
    again = deployments.next_look(observed, settings, now)
    return acted(owner, outcome, Judged(conditions, fields, again))


async def reconcile_run(
    owner: Resource[Any], cluster: Cluster, settings: Settings, now: datetime
) -> Judged:
    """Observe to judge, for an EvaluationRun."""
    observed = await runs.observe(owner, cluster, settings, now)
    steps = plan(runs.desire(owner, observed, settings), observed.children)
    outcome = await act(owner, steps, observed.children, cluster)
    conditions, fields = runs.judge(owner, observed, settings, now)
    left = runs.time_to_live(owner, fields, now)
    # Not before its outcome was written once, for those who wait for it.
    told = fields.get("completionTime") == owner.status.get("completionTime")
    if told and left is not None and left <= timedelta(0):
        await cluster.delete(owner.ref)
    again = runs.next_look(owner, observed, settings, fields, now)
    return acted(owner, outcome, Judged(conditions, fields, again))


STAGES = {"ModelDeployment": reconcile_deployment, "EvaluationRun": reconcile_run}


def acted(owner: Resource[Any], outcome: Outcome, judged: Judged) -> Judged:
    """What was judged, and whether the cluster took the children: what it refused is tried anew.

    Without all of its children nothing is Ready: the endpoint may be somebody else's Service.
    """
    took, conditions, again = taken(owner, outcome), judged.conditions, judged.again
    if took.status == FALSE:
        again = min(again or REFUSED_AGAIN, REFUSED_AGAIN)
        unready = replace(took, type=ConditionType.READY)
        conditions = [unready if c.type == ConditionType.READY else c for c in conditions]
    return Judged([took, *conditions], judged.fields, again, outcome.error)


def taken(owner: Resource[Any], outcome: Outcome) -> Condition:
    """Accepted: while the cluster gives no answer, what it said last of the same spec."""
    if outcome.refusal or not outcome.error:
        return accepted(outcome.refusal, Reason.CHILD_REJECTED)
    same = owner.status.get("observedGeneration") == owner.generation
    before = judged_before(owner.status, ConditionType.ACCEPTED) if same else None
    words = str(outcome.error)
    return before or Condition(ConditionType.ACCEPTED, UNKNOWN, Reason.CLUSTER_FAILED, words)


async def act(
    owner: Resource[Any], steps: Plan, children: Sequence[Manifest], cluster: Cluster
) -> Outcome:
    """Carry the plan out, up to where the cluster fails: each failure may take a whole timeout."""
    observed = {Ref.of(child) for child in children}
    refusals: list[str] = []
    failed = None
    try:
        for manifest in steps.apply:
            refused = await made(manifest, owner, observed, cluster)
            refusals += [refused] if refused else []
        for ref in steps.delete:
            await cluster.delete(ref)
    except ClusterError as error:
        failed = error
    return Outcome("; ".join(refusals) or None, failed)


async def made(
    manifest: Manifest, owner: Resource[Any], observed: Collection[Ref], cluster: Cluster
) -> str | None:
    """Apply a child, but never over somebody else's object; returns why where it is refused."""
    ref = Ref.of(manifest)
    title = f"{ref.kind} {ref.name}"
    found = None if ref in observed else await cluster.get(ref)
    if found and not owned(found, owner.uid):
        return f"{title} {whose(found, owner)}"
    try:
        await cluster.apply(manifest)
    except Rejected as error:
        return f"{title}: {error}"
    except ClusterError as error:
        raise ClusterError(f"{title}: {error}") from error
    return None


def whose(found: Manifest, owner: Resource[Any]) -> str:
    """What a person is told of an object whose name is wanted, and what to do."""
    owners = found["metadata"].get("ownerReferences", [])
    if (owner.kind, owner.name) in [(ref["kind"], ref["name"]) for ref in owners]:
        return f"is left of a {owner.kind} deleted before: it is made anew once that is gone"
    return f"exists and does not belong to this {owner.kind}: rename one of the two"


async def report(owner: Resource[Any], judged: Judged, cluster: Cluster, now: datetime) -> None:
    """One status write, only when it changed, and an event for each transition.

    The identity holds the uid: a resource that was made anew since is not given another's status.
    """
    before = owner.status.get("conditions", [])
    conditions = merged(judged.conditions, before, owner.generation, now)
    status = judged.fields | {"observedGeneration": owner.generation, "conditions": conditions}
    if status == owner.status:
        return
    await cluster.apply_status(owner.identity() | {"status": status})
    for event in transitions(owner.identity(), before, conditions):
        await tell(event, cluster)


async def tell(event: Event, cluster: Cluster) -> None:
    """Emit an event; one that is lost is no reason to lose another or to look again."""
    try:
        await cluster.emit(event)
    except ClusterError as error:
        log.warning("event lost", reason=event.reason, message=event.message, why=str(error))
