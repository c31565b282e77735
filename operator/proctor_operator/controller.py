"""What the watches feed: a queue of keys, worked off for as long as this process leads."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from proctor_operator.cluster import Cluster, Manifest
from proctor_operator.leadership import Duty, alone
from proctor_operator.metrics import Metrics
from proctor_operator.reconcile import reconcile
from proctor_operator.routing import Key, Router
from proctor_operator.settings import Settings
from proctor_operator.work_queue import WorkQueue

STUCK = timedelta(minutes=10)
"""Every request has a timeout far below this: whoever takes longer will never end."""
Lead = Callable[[Duty], Awaitable[None]]
"""Does a duty while this process leads; raises where it leads no longer."""


class Controller:
    """Notes what changes from the start on; reconciles it once this process leads."""

    def __init__(
        self, cluster: Cluster, settings: Settings, metrics: Metrics, lead: Lead = alone
    ) -> None:
        async def work(key: Key) -> timedelta | None:
            return await reconcile(key, cluster, settings, datetime.now(UTC))

        self._router, self._queue = Router(), WorkQueue(metrics.measured(work))
        self._metrics, self._lead = metrics, lead
        metrics.show_depth(self._queue.depth)

    def changed(self, manifest: Manifest) -> None:
        """An object was made or changed: look at whomever it concerns."""
        for key in self._router.keys(manifest):
            self._queue.add(key)

    def deleted(self, manifest: Manifest) -> None:
        """An object is no more: look at whomever it concerned."""
        for key in self._router.keys_of_deleted(manifest):
            self._queue.add(key)

    async def run(self) -> None:
        """Reconcile until cancelled. Raises what makes it impossible to go on."""
        await self._lead(self._reconcile)

    def stuck(self) -> str | None:
        """What no longer gets on, if anything."""
        slowest = self._queue.slowest()
        if slowest is None or slowest[1] < STUCK:
            return None
        key, since = slowest
        return f"{key} has been reconciled for {since.total_seconds():.0f} s"

    async def _reconcile(self) -> None:
        with self._metrics.leading():
            await self._queue.run()
