from datetime import UTC, datetime
from typing import Any

import pytest

from proctor_cli.local.objects import Change
from proctor_cli.local.store import Store
from proctor_operator.cluster import Manifest, Ref, Rejected

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def store() -> Store:
    return Store(lambda: NOW)


def config_map(name: str = "a", **data: str) -> Manifest:
    meta = {"name": name, "namespace": "ns"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


def told(store: Store) -> list[tuple[str, Any]]:
    changes: list[tuple[str, Any]] = []
    store.watch(lambda change: changes.append((change.type, change.object.get("data"))))
    return changes


def test_watchers_are_told_of_changes_alone(store: Store) -> None:
    changes = told(store)
    for data in ({"x": "1"}, {"x": "1"}, {"x": "2"}):
        store.apply(config_map(**data))
    store.delete(Ref.of(config_map()))
    store.delete(Ref.of(config_map()))
    assert changes == [("ADDED", {"x": "1"}), ("MODIFIED", {"x": "2"}), ("DELETED", {"x": "2"})]


def test_every_watcher_is_told_in_the_order_of_the_changes(store: Store) -> None:
    def change_it_at_once(change: Change) -> None:
        if change.type == "ADDED":
            store.apply(config_map(x="2"))

    store.watch(change_it_at_once)
    changes = told(store)
    store.apply(config_map(x="1"))
    assert changes == [("ADDED", {"x": "1"}), ("MODIFIED", {"x": "2"})]


def test_a_watcher_that_fails_harms_nobody_else(store: Store) -> None:
    def fail(_: Change) -> None:
        raise RuntimeError("a fault")

    store.watch(fail)
    changes = told(store)
    store.apply(config_map(x="1"))
    store.apply(config_map(x="2"))
    assert len(changes) == 2


def test_a_watcher_can_leave(store: Store) -> None:
    changes: list[Change] = []
    leave = store.watch(changes.append)
    leave()
    store.apply(config_map())
    assert changes == []


def test_copies_are_given(store: Store) -> None:
    made = store.apply(config_map(x="1"))
    made["data"]["x"] = "2"
    found = store.get(Ref.of(made))
    assert found is not None
    assert found["data"] == {"x": "1"}


def test_finalizers_hold_an_object(store: Store) -> None:
    held = config_map()
    held["metadata"]["finalizers"] = ["proctor.dev/test"]
    store.apply(held)
    store.delete(Ref.of(held))
    found = store.get(Ref.of(held))
    assert found is not None
    assert found["metadata"]["deletionTimestamp"] == "2026-01-02T03:04:05Z"
    store.set_metadata(Ref.of(held), finalizers=None)
    assert store.get(Ref.of(held)) is None


def test_an_immutable_config_map(store: Store) -> None:
    store.apply(config_map(x="1") | {"immutable": True})
    with pytest.raises(Rejected, match="immutable"):
        store.apply(config_map(x="2") | {"immutable": True})
