"""One replica leads, whatever fails."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import count, pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor_operator.cluster import ClusterError, Manifest, Ref
from proctor_operator.leadership import (
    API_VERSION,
    KIND,
    Leadership,
    LeadershipLostError,
    alone,
    holder,
)
from tests import virtual_time

REF = Ref(API_VERSION, KIND, "ops", "proctor")
DURATION, RENEW_WITHIN, RETRY = 15, 10, 2
SILENCE = 60


@dataclass
class Store:
    """What the apiserver does with one lease: creates once, and replaces only what was read."""

    lease: Manifest | None = None
    versions: Any = field(default_factory=lambda: count(1))

    def write(self, manifest: Manifest) -> Manifest:
        version = {"resourceVersion": str(next(self.versions))}
        self.lease = deepcopy(manifest) | {"metadata": manifest["metadata"] | version}
        return deepcopy(self.lease)

    def create(self, manifest: Manifest) -> Manifest:
        if self.lease is not None:
            raise ClusterError("409: already exists")
        return self.write(manifest)

    def replace(self, manifest: Manifest) -> Manifest:
        wanted = manifest["metadata"]["resourceVersion"]
        if self.lease is None or wanted != self.lease["metadata"]["resourceVersion"]:
            raise ClusterError("409: the object has been modified")
        return self.write(manifest)

    @property
    def holder(self) -> str:
        return holder(self.lease or {})


@dataclass
class Connection:
    """A replica's way to the store: slow, broken, or losing answers, as `faults` says by time."""

    store: Store
    faults: Callable[[float], str] = lambda _: "fine"

    async def get(self, ref: Ref) -> Manifest | None:
        assert ref == REF
        return await self.sent(lambda: deepcopy(self.store.lease))

    async def create(self, manifest: Manifest) -> Manifest:
        return await self.sent(lambda: self.store.create(manifest))

    async def replace(self, manifest: Manifest) -> Manifest:
        return await self.sent(lambda: self.store.replace(manifest))

    async def sent(self, request: Callable[[], Any]) -> Any:
        fault = self.faults(asyncio.get_running_loop().time())
        if fault == "refused":
            raise ClusterError("connection refused")
        await asyncio.sleep(SILENCE if fault == "silent" else 0.01)
        answer = request()
        await asyncio.sleep(SILENCE if fault == "no answer" else 0.01)
        return answer


@dataclass
class Replica:
    """A replica that notes when it works, and starts anew wherever it had to stop."""

    name: str
    connection: Connection
    worked: list[tuple[float, float]] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    def leadership(self) -> Leadership:
        return Leadership(self.connection, REF, self.name)

    async def work(self) -> None:
        since = asyncio.get_running_loop().time()
        try:
            await asyncio.Event().wait()
        finally:
            self.worked.append((since, asyncio.get_running_loop().time()))

    async def run(self) -> None:
        while True:
            try:
                await self.leadership().lead(self.work)
            except* LeadershipLostError as group:
                self.reasons += map(str, group.exceptions)

    def working(self) -> bool:
        return self.connection.store.holder == self.name


def replicas(names: str, store: Store | None = None) -> list[Replica]:
    store = store or Store()
    return [Replica(name, Connection(store)) for name in names]


async def seconds(*running: Coroutine[Any, Any, None], last: float) -> None:
    """Run all of them for so long, then end them as SIGTERM does."""
    tasks = [asyncio.create_task(each) for each in running]
    await asyncio.sleep(last)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


def test_the_first_leads_and_the_second_waits() -> None:
    a, b = replicas("ab")
    virtual_time.run(seconds(a.run(), b.run(), last=600))
    assert [round(end - start) for start, end in a.worked] == [600]
    assert b.worked == []


def test_a_lease_tells_who_holds_it_since_when_and_for_how_long() -> None:
    (a,) = replicas("a")

    async def held() -> Any:
        await a.leadership().acquire()
        return a.connection.store.lease

    spec = virtual_time.run(held())["spec"]
    assert (spec["holderIdentity"], spec["leaseDurationSeconds"]) == ("a", DURATION)
    assert spec["acquireTime"] <= spec["renewTime"]


def test_who_ends_gently_is_followed_at_once() -> None:
    a, b = replicas("ab")

    async def scene() -> None:
        first = asyncio.create_task(a.leadership().lead(a.work))
        await asyncio.sleep(60)
        second = asyncio.create_task(b.leadership().lead(b.work))
        await asyncio.sleep(60)
        first.cancel()
        await seconds(asyncio.wait_for(second, 100), last=60)

    virtual_time.run(scene())
    ((_, ended),), ((began, _),) = a.worked, b.worked
    assert 0 < began - ended <= RETRY + 0.1


def test_who_is_killed_is_followed_when_the_lease_is_over() -> None:
    a, b = replicas("ab")

    async def scene() -> float:
        await a.leadership().acquire()  # and nothing more is ever heard of it
        killed = asyncio.get_running_loop().time()
        await seconds(b.run(), last=60)
        return killed

    killed = virtual_time.run(scene())
    ((began, _),) = b.worked
    assert DURATION < began - killed <= DURATION + 2 * RETRY


def test_an_old_lease_is_not_taken_before_it_was_watched_for_its_time() -> None:
    # Its renewTime is of another machine's clock.
    store = Store()
    store.create(
        {
            "metadata": {"name": "proctor"},
            "spec": {
                "holderIdentity": "gone",
                "leaseDurationSeconds": 7,
                "renewTime": "1999-01-01T00:00:00.000000Z",
            },
        }
    )
    (a,) = replicas("a", store)
    virtual_time.run(seconds(a.run(), last=60))
    ((began, _),) = a.worked
    assert 7 < began <= 7 + 2 * RETRY


@pytest.mark.parametrize("fault", ["refused", "silent", "no answer"])
def test_a_leader_that_cannot_renew_stops_before_another_may_lead(fault: str) -> None:
    a, b = replicas("ab")
    a.connection.faults = lambda time: fault if time > 100 else "fine"
    virtual_time.run(seconds(a.run(), b.run(), last=200))
    (_, ended), (began, _) = a.worked[0], b.worked[0]
    assert 100 < ended < began
    assert ended <= 100 + RENEW_WITHIN
    assert a.reasons[0] == "not renewed for 10 s"


def test_a_short_outage_is_borne() -> None:
    a, b = replicas("ab")
    for replica in (a, b):
        replica.connection.faults = lambda time: "refused" if 100 < time < 106 else "fine"
    virtual_time.run(seconds(a.run(), b.run(), last=200))
    assert len(a.worked) == 1
    assert b.worked == []


@pytest.mark.parametrize("theft", ["taken", "deleted"])
def test_a_leader_whose_lease_is_gone_stops_at_once(theft: str) -> None:
    (a,) = replicas("a")
    store = a.connection.store

    async def scene() -> float:
        task = asyncio.create_task(a.leadership().lead(a.work))
        await asyncio.sleep(60)
        if theft == "taken":
            assert store.lease
            store.write(store.lease | {"spec": {"holderIdentity": "thief"}})
        else:
            store.lease = None
        with pytest.raises(ExceptionGroup) as raised:
            await task
        assert raised.group_contains(LeadershipLostError, match="held by")
        return asyncio.get_running_loop().time()

    assert virtual_time.run(scene()) <= 60 + RETRY + 0.1
    assert store.holder == ("thief" if theft == "taken" else "")


def test_a_write_whose_answer_was_lost_is_recognised() -> None:
    (a,) = replicas("a")
    lost = iter(["fine", "no answer"])
    a.connection.faults = lambda _: next(lost, "fine")

    async def impatient() -> None:
        leadership = a.leadership()
        with suppress(TimeoutError):
            await asyncio.wait_for(leadership.acquire(), 1)
        assert a.working()
        await asyncio.wait_for(leadership.acquire(), 1)

    virtual_time.run(impatient())


def test_what_the_duty_raises_ends_it_and_frees_the_lease() -> None:
    (a,) = replicas("a")

    async def broken() -> None:
        raise ValueError("defect")

    with pytest.raises(ExceptionGroup) as raised:
        virtual_time.run(a.leadership().lead(broken))
    assert raised.group_contains(ValueError, match="defect")
    assert a.connection.store.holder == ""


def test_who_is_alone_leads() -> None:
    done = []

    async def duty() -> None:
        done.append(True)

    virtual_time.run(alone(duty))
    assert done == [True]


faults = st.lists(
    st.tuples(st.floats(0, 200), st.sampled_from(["fine", "refused", "silent", "no answer"])),
    max_size=12,
).map(sorted)


def by_time(schedule: list[tuple[float, str]]) -> Callable[[float], str]:
    """The fault that holds at a time: the last that began before it."""
    return lambda time: next((f for at, f in reversed(schedule) if at <= time), "fine")


@settings(max_examples=60)
@given(st.lists(faults, min_size=2, max_size=3), st.lists(st.floats(0, 10), min_size=3, max_size=3))
def test_no_two_lead_at_once_and_somebody_leads_in_the_end(
    schedules: list[list[tuple[float, str]]], delays: list[float]
) -> None:
    store = Store()
    crowd = [
        Replica(name, Connection(store, by_time(schedule)))
        for name, schedule in zip("abc", schedules, strict=False)
    ]

    async def late(replica: Replica, delay: float) -> None:
        await asyncio.sleep(delay)
        await replica.run()

    async def scene() -> None:
        starts = [late(r, d) for r, d in zip(crowd, delays, strict=False)]
        tasks = [asyncio.create_task(start) for start in starts]
        await asyncio.sleep(200)
        for replica in crowd:
            replica.connection.faults = lambda _: "fine"
        await asyncio.sleep(2 * SILENCE)  # even a silent request has ended by then
        assert any(replica.working() for replica in crowd)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    virtual_time.run(scene())
    spans = sorted(span for replica in crowd for span in replica.worked)
    assert spans
    assert all(ended <= began for (_, ended), (began, _) in pairwise(spans))
