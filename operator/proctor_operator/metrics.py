"""What the operator tells Prometheus."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from proctor_operator.cluster import ClusterError
from proctor_operator.routing import Key
from proctor_operator.work_queue import Work

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Bounds of the buckets: a look takes some requests of milliseconds, at worst their timeouts."""


class Metrics:
    """The operator's metrics, in a registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._reconciles = Counter(
            "proctor_reconcile",
            "Looks at a resource, by outcome: done, retry (the cluster failed), defect, cancelled.",
            ["kind", "outcome"],
            registry=registry,
        )
        self._seconds = Histogram(
            "proctor_reconcile_duration_seconds",
            "How long a look at a resource takes.",
            ["kind"],
            buckets=SECONDS,
            registry=registry,
        )
        self._depth = Gauge(
            "proctor_queue_depth", "Resources that wait to be looked at.", registry=registry
        )
        self._leader = Gauge(
            "proctor_leader", "1 while this replica reconciles, else 0.", registry=registry
        )

    def measured(self, work: Work) -> Work:
        """`work`, with each call timed and counted by how it ended."""

        async def timed(key: Key) -> timedelta | None:
            outcome = "cancelled"
            try:
                with self._seconds.labels(key.kind).time():
                    again = await work(key)
                outcome = "done"
            except ClusterError:
                outcome = "retry"
                raise
            except Exception:
                outcome = "defect"
                raise
            finally:
                self._reconciles.labels(key.kind, outcome).inc()
            return again

        return timed

    def show_depth(self, depth: Callable[[], int]) -> None:
        """Ask `depth` whenever Prometheus asks."""
        self._depth.set_function(depth)

    @contextmanager
    def leading(self) -> Iterator[None]:
        """Show that this replica leads for as long as the block runs."""
        self._leader.set(1)
        try:
            yield
        finally:
            self._leader.set(0)
