"""How kopf is wired: what is watched, and when the process gives up."""

import asyncio
from typing import Any

import kopf
import pytest

from proctor_operator import handlers
from proctor_operator.leadership import Leadership, alone
from tests.builders import run_manifest


class Recorder:
    """A controller that notes what it is told."""

    def __init__(self, problem: str | None = None) -> None:
        self.told: list[tuple[str, Any]] = []
        self._problem = problem

    def changed(self, manifest: Any) -> None:
        self.told.append(("changed", manifest))

    def deleted(self, manifest: Any) -> None:
        self.told.append(("deleted", manifest))

    def stuck(self) -> str | None:
        return self._problem


@pytest.mark.parametrize(
    ("kind", "told"),
    [(None, "changed"), ("ADDED", "changed"), ("MODIFIED", "changed"), ("DELETED", "deleted")],
)
async def test_the_controller_is_told_what_happened(kind: Any, told: str) -> None:
    memo = kopf.Memo(controller=Recorder())
    await handlers.noticed(event={"type": kind, "object": run_manifest()}, memo=memo)
    assert memo.controller.told == [(told, run_manifest())]


def test_children_are_picked_out_by_the_apiserver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WATCH_NAMESPACES", raising=False)
    settings = kopf.OperatorSettings()
    handlers.configure(settings)
    chosen = {str(s): v for s, v in settings.watching.label_selectors.items()}
    assert len(chosen) == len(handlers.CHILDREN)
    assert set(chosen.values()) == {"app.kubernetes.io/managed-by=proctor"}
    assert not settings.scanning.disabled


def test_a_lease_is_named_by_the_environment() -> None:
    cluster: Any = object()
    assert handlers.election({}, cluster) is alone
    first, second = (handlers.election({"LEASE": "ops/proctor"}, cluster) for _ in range(2))
    leaderships = [getattr(lead, "__self__", None) for lead in (first, second)]
    assert all(isinstance(found, Leadership) for found in leaderships)
    refs = {(found.ref.namespace, found.ref.name) for found in leaderships if found}
    assert refs == {("ops", "proctor")}
    assert len({found.identity for found in leaderships if found}) == 2


async def finished(error: Exception | None = None) -> "asyncio.Task[None]":
    """A duty that ended, by itself or by `error`."""

    async def duty() -> None:
        if error:
            raise error

    task = asyncio.create_task(duty())
    await asyncio.wait([task])
    return task


@pytest.mark.parametrize("error", [None, ValueError("defect")], ids=repr)
async def test_a_process_whose_duty_ended_ends_and_fails(error: Exception | None) -> None:
    memo = kopf.Memo(stop=asyncio.Event(), failed=False)
    handlers.ended(await finished(error), memo)
    assert memo.stop.is_set()
    assert memo.failed


async def test_a_process_that_is_asked_to_end_does_not_fail() -> None:
    memo = kopf.Memo(stop=asyncio.Event(), failed=False)
    task = asyncio.create_task(asyncio.Event().wait())
    task.cancel()
    await asyncio.wait([task])
    handlers.ended(task, memo)  # type: ignore[arg-type]
    assert not memo.failed


async def test_a_process_that_gets_on_is_alive() -> None:
    memo = kopf.Memo(controller=Recorder(), duty=asyncio.create_task(asyncio.sleep(60)))
    await handlers.reconciling(memo=memo)
    memo.duty.cancel()


async def test_a_process_that_is_stuck_is_not_alive() -> None:
    memo = kopf.Memo(controller=Recorder("it waits"), duty=asyncio.create_task(asyncio.sleep(60)))
    with pytest.raises(kopf.PermanentError, match="it waits"):
        await handlers.reconciling(memo=memo)
    memo.duty.cancel()


async def test_a_process_whose_duty_ended_is_not_alive() -> None:
    memo = kopf.Memo(controller=Recorder(), duty=await finished())
    with pytest.raises(kopf.PermanentError, match="reconciling ended"):
        await handlers.reconciling(memo=memo)
