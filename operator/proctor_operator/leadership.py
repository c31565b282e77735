"""Which of several replicas acts: the holder of a Lease, by client-go's rules.

A replica takes the lease where nobody holds it, or where it has not changed for as long as it is
granted; that is measured by the replica's own clock, so clocks need not agree. The holder stops
when it could not renew the lease for `renew_within`, which is before anybody else may take it.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

import structlog

from proctor_operator.cluster import ClusterError, Manifest, Ref

log = structlog.get_logger()

API_VERSION, KIND = "coordination.k8s.io/v1", "Lease"
Duty = Callable[[], Coroutine[Any, Any, None]]
"""What the leader does; it ends only by failing."""


async def alone(duty: Duty) -> None:
    """Lead without asking: there is no other replica."""
    await duty()


class LeadershipLostError(Exception):
    """Another replica leads, or may by now."""


class Leases(Protocol):
    """Where leases are stored, with optimistic concurrency. Raises ClusterError."""

    async def get(self, ref: Ref) -> Manifest | None:
        """The lease, or None where there is none."""
        ...

    async def create(self, manifest: Manifest) -> Manifest:
        """Store a new lease; an error where there is one."""
        ...

    async def replace(self, manifest: Manifest) -> Manifest:
        """Store a lease in place of the one of its resourceVersion; an error where that is gone."""
        ...


@dataclass(frozen=True, slots=True)
class Timing:
    """In seconds, as client-go has them; `duration` is above `renew_within` by a margin."""

    duration: float = 15
    renew_within: float = 10
    retry: float = 2


@dataclass(slots=True)
class Leadership:
    """One replica's part in the election."""

    leases: Leases
    ref: Ref
    identity: str
    timing: Timing = Timing()
    _seen: tuple[Any, float] = field(default=(None, 0), init=False)
    """The spec of somebody's lease, and when it was first seen so."""

    async def lead(self, duty: Duty) -> None:
        """Wait for the lease, then do `duty` for as long as it is held.

        Raises an ExceptionGroup of LeadershipLostError, or of what `duty` raised, once it stopped.
        """
        renewed = await self.acquire()
        log.info("leading", identity=self.identity, lease=self.ref.name)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.keep(renewed))
                group.create_task(duty())
        finally:
            await self.release()

    async def acquire(self) -> float:
        """Wait until this replica holds the lease; since when, in the event loop's time."""
        while True:
            sent = now()
            try:
                # An answer that comes later may be about a lease that is over by now.
                async with asyncio.timeout(self.timing.renew_within):
                    if await self.taken(await self.leases.get(self.ref)):
                        return sent
            except (ClusterError, TimeoutError) as error:
                log.warning("lease not taken", lease=self.ref.name, why=repr(error))
            await asyncio.sleep(self.timing.retry)

    async def keep(self, renewed: float) -> None:
        """Renew the lease, last renewed at `renewed`, for ever. Raises LeadershipLostError."""
        while True:
            try:
                async with asyncio.timeout_at(renewed + self.timing.renew_within):
                    await asyncio.sleep(self.timing.retry)
                    renewed = await self.renew()
            except TimeoutError as error:
                words = f"not renewed for {self.timing.renew_within} s"
                raise LeadershipLostError(words) from error

    async def renew(self) -> float:
        """Renew the lease, however often it takes; since when, in the event loop's time."""
        while True:
            sent = now()
            try:
                lease = await self.leases.get(self.ref)
                if lease is None or holder(lease) != self.identity:
                    raise LeadershipLostError(f"held by {holder(lease or {}) or 'nobody'}")
                await self.leases.replace(with_spec(lease, renewTime=stamp()))
            except ClusterError as error:
                log.warning("lease not renewed", lease=self.ref.name, why=str(error))
                await asyncio.sleep(self.timing.retry)
            else:
                return sent

    async def release(self) -> None:
        """Let another replica lead at once; this one has stopped."""
        try:
            async with asyncio.timeout(self.timing.retry):
                lease = await self.leases.get(self.ref)
                if lease and holder(lease) == self.identity:
                    await self.leases.replace(with_spec(lease, holderIdentity=""))
        except (ClusterError, TimeoutError) as error:
            log.warning("lease not released", lease=self.ref.name, why=str(error))

    async def taken(self, lease: Manifest | None) -> bool:
        """Take the lease, as it was read just now, if it may be taken."""
        own = {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": round(self.timing.duration),
            "acquireTime": stamp(),
            "renewTime": stamp(),
        }
        if lease is None:
            await self.leases.create(unheld(self.ref) | {"spec": own})
            return True
        spec = lease.get("spec", {})
        if spec != self._seen[0]:
            self._seen = (spec, now())
        # Its own, where a write arrived whose answer did not.
        if holder(lease) not in ("", self.identity) and not lapsed(spec, now() - self._seen[1]):
            return False
        changes = spec.get("leaseTransitions", 0) + 1
        await self.leases.replace(with_spec(lease, **own, leaseTransitions=changes))
        return True


def holder(lease: Manifest) -> str:
    """Who holds the lease; empty where nobody does."""
    return str(lease.get("spec", {}).get("holderIdentity") or "")


def lapsed(spec: Manifest, unchanged_seconds: float) -> bool:
    """Whether the lease has not changed for longer than it was granted for."""
    granted: float = spec.get("leaseDurationSeconds") or Timing().duration
    return unchanged_seconds > granted


def with_spec(lease: Manifest, **fields: Any) -> Manifest:
    """`lease`, of the resourceVersion that was read, with other fields in its spec."""
    return lease | {"spec": lease.get("spec", {}) | fields}


def unheld(ref: Ref) -> Manifest:
    """A new lease."""
    meta = {"name": ref.name, "namespace": ref.namespace}
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": meta}


def now() -> float:
    """A clock that only goes forward, in seconds."""
    return asyncio.get_running_loop().time()


def stamp() -> str:
    """The time for people to read; nothing is decided by it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
