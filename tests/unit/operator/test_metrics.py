"""What the operator tells Prometheus."""

import asyncio
from contextlib import suppress
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry

from proctor_operator.cluster import ClusterError, Rejected
from proctor_operator.metrics import Metrics
from proctor_operator.routing import Key

RUN, DEPLOYMENT = Key("EvaluationRun", "team", "a"), Key("ModelDeployment", "team", "b")


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> Metrics:
    return Metrics(registry)


async def test_looks_that_end_well_are_counted_by_kind_and_timed(
    metrics: Metrics, registry: CollectorRegistry
) -> None:
    async def work(_: Key) -> timedelta | None:
        return timedelta(seconds=3)

    for key in (RUN, RUN, DEPLOYMENT):
        assert await metrics.measured(work)(key) == timedelta(seconds=3)
    assert looks(registry, "EvaluationRun", "done") == 2
    assert looks(registry, "ModelDeployment", "done") == 1
    seconds = "proctor_reconcile_duration_seconds_count"
    assert registry.get_sample_value(seconds, {"kind": "EvaluationRun"}) == 2


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ClusterError("gone"), "retry"),
        (Rejected("no"), "retry"),
        (ValueError("defect"), "defect"),
    ],
    ids=repr,
)
async def test_looks_that_fail_are_counted_by_whose_fault_it_is(
    metrics: Metrics, registry: CollectorRegistry, error: Exception, outcome: str
) -> None:
    async def work(_: Key) -> timedelta | None:
        raise error

    with pytest.raises(type(error)):
        await metrics.measured(work)(RUN)
    assert looks(registry, "EvaluationRun", outcome) == 1
    assert looks(registry, "EvaluationRun", "done") is None


async def test_a_look_that_is_called_off_is_no_defect(
    metrics: Metrics, registry: CollectorRegistry
) -> None:
    async def work(_: Key) -> timedelta | None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await metrics.measured(work)(RUN)
    assert looks(registry, "EvaluationRun", "cancelled") == 1
    assert looks(registry, "EvaluationRun", "defect") is None


def looks(registry: CollectorRegistry, kind: str, outcome: str) -> float | None:
    labels = {"kind": kind, "outcome": outcome}
    return registry.get_sample_value("proctor_reconcile_total", labels)


def test_the_depth_is_that_of_the_moment(metrics: Metrics, registry: CollectorRegistry) -> None:
    waiting = [RUN]
    metrics.show_depth(lambda: len(waiting))
    assert registry.get_sample_value("proctor_queue_depth") == 1
    waiting.append(DEPLOYMENT)
    assert registry.get_sample_value("proctor_queue_depth") == 2


def test_who_leads_shows_it_until_it_stops(metrics: Metrics, registry: CollectorRegistry) -> None:
    assert registry.get_sample_value("proctor_leader") == 0
    with suppress(ValueError), metrics.leading():
        assert registry.get_sample_value("proctor_leader") == 1
        raise ValueError("defect")
    assert registry.get_sample_value("proctor_leader") == 0
