"""Each key once, never twice at a time, failures later."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor_operator.cluster import ClusterError
from proctor_operator.routing import Key
from proctor_operator.work_queue import FIRST_RETRY, LONGEST_RETRY, Work, WorkQueue, backoff

A, B = Key("EvaluationRun", "team", "a"), Key("EvaluationRun", "team", "b")


@asynccontextmanager
async def running(work: Work, workers: int = 4) -> AsyncIterator[WorkQueue]:
    """A queue at work."""
    queue = WorkQueue(work, workers)
    task = asyncio.create_task(queue.run())
    yield queue
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what the queue does next."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  the queue has no event for each of its steps
            await asyncio.sleep(0)


def idle(queue: WorkQueue) -> bool:
    """Whether nothing waits and nothing is worked on (timers aside)."""
    return queue.depth() == 0 and queue.slowest() is None


class Recorder:
    """Work that notes its keys, and waits in each call for `gate` where there is one."""

    def __init__(self, gate: asyncio.Event | None = None) -> None:
        self.done: list[Key] = []
        self.active: Counter[Key] = Counter()
        self.most = 0
        self._gate = gate

    async def __call__(self, key: Key) -> timedelta | None:
        self.active[key] += 1
        self.most = max(self.most, self.active[key])
        await (self._gate.wait() if self._gate else asyncio.sleep(0))
        self.active[key] -= 1
        self.done.append(key)
        return None


async def test_a_key_added_often_while_it_waits_is_worked_on_once() -> None:
    work = Recorder()
    async with running(work) as queue:
        for _ in range(5):
            queue.add(A)
        await until(lambda: idle(queue))
    assert work.done == [A]


async def test_a_key_added_while_it_is_worked_on_is_worked_on_again() -> None:
    gate = asyncio.Event()
    work = Recorder(gate)
    async with running(work) as queue:
        queue.add(A)
        await until(lambda: work.active[A] == 1)
        queue.add(A)
        queue.add(A)
        gate.set()
        await until(lambda: len(work.done) == 2 and idle(queue))
    assert work.done == [A, A]
    assert work.most == 1


async def test_one_slow_key_does_not_hold_up_another() -> None:
    gate = asyncio.Event()
    slow, fast = Recorder(gate), Recorder()

    async def work(key: Key) -> timedelta | None:
        return await (slow if key == A else fast)(key)

    async with running(work) as queue:
        queue.add(A)
        queue.add(B)
        await until(lambda: fast.done == [B])
        assert slow.done == []
        gate.set()
        await until(lambda: idle(queue))


def failing(times: int, error: Exception) -> tuple[list[Key], Callable[[Key], Awaitable[None]]]:
    """Work that fails at first."""
    calls: list[Key] = []

    async def work(key: Key) -> None:
        calls.append(key)
        if len(calls) <= times:
            raise error

    return calls, work


@pytest.mark.parametrize("error", [ClusterError("gone"), ValueError("defect")], ids=repr)
async def test_a_key_that_fails_comes_back(error: Exception) -> None:
    calls, work = failing(1, error)
    async with running(work) as queue:
        queue.add(A)
        await until(lambda: len(calls) == 1)
        assert calls == [A]
        await until(lambda: len(calls) == 2)


async def test_a_failed_key_that_is_added_need_not_wait() -> None:
    calls, work = failing(8, ClusterError("gone"))
    async with running(work) as queue:
        for count in range(1, 10):
            queue.add(A)
            # By now its delay is longer than `until` waits.
            await until(lambda count=count: len(calls) >= count and idle(queue))  # type: ignore[misc]


async def test_a_key_comes_back_when_its_work_says() -> None:
    delays = [timedelta(milliseconds=5), None]
    calls: list[Key] = []

    async def work(key: Key) -> timedelta | None:
        calls.append(key)
        return delays[len(calls) - 1]

    async with running(work) as queue:
        queue.add(A)
        await until(lambda: len(calls) == 2)


async def test_of_two_delays_the_later_call_holds() -> None:
    work = Recorder()
    async with running(work) as queue:
        queue.add_after(A, timedelta(milliseconds=1))
        queue.add_after(A, timedelta(hours=1))
        queue.add_after(B, timedelta(milliseconds=5))
        await until(lambda: B in work.done)
    assert work.done == [B]


async def test_depth_counts_those_that_wait_and_the_slowest_is_the_first_of_those_at_work() -> None:
    gate = asyncio.Event()
    async with running(Recorder(gate), workers=1) as queue:
        assert (queue.depth(), queue.slowest()) == (0, None)
        queue.add(A)
        queue.add(B)
        assert queue.depth() == 2
        await until(lambda: queue.depth() == 1)
        slowest = queue.slowest()
        assert slowest
        assert slowest[0] == A
        gate.set()
        await until(lambda: idle(queue))
        assert (queue.depth(), queue.slowest()) == (0, None)


def test_delays_double_up_to_a_bound() -> None:
    delays = [backoff(failures) for failures in range(40)]
    assert delays[:3] == [FIRST_RETRY, FIRST_RETRY * 2, FIRST_RETRY * 4]
    assert delays == sorted(delays)
    assert delays[-1] == LONGEST_RETRY


schedules = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3), st.sampled_from(["add", "after"])), max_size=30
)


@given(schedules, st.integers(1, 4))
async def test_no_schedule_loses_a_key_or_doubles_it(
    schedule: list[tuple[int, int, str]], workers: int
) -> None:
    added: Counter[Key] = Counter()
    work = Recorder()
    async with running(work, workers) as queue:
        for name, pauses, how in schedule:
            key = Key("EvaluationRun", "team", str(name))
            added[key] += 1
            queue.add(key) if how == "add" else queue.add_after(key, timedelta(0))
            for _ in range(pauses):
                await asyncio.sleep(0)
        await until(lambda: set(work.done) == set(added) and idle(queue))
    assert work.most <= 1
    assert all(0 < count <= added[key] for key, count in Counter(work.done).items())
