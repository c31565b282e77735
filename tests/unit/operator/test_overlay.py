"""The `pod` overlay merges as Kubernetes' strategic merge does."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor_operator.children.overlay import overlaid

few = settings(max_examples=25)

CASES: dict[str, tuple[Any, Any, Any]] = {
    "a scalar is replaced": ({"a": 1}, {"a": 2}, {"a": 2}),
    "a field is added": ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
    "objects merge": ({"o": {"a": 1}}, {"o": {"b": 2}}, {"o": {"a": 1, "b": 2}}),
    "null removes": ({"a": 1, "b": 2}, {"a": None}, {"b": 2}),
    "null removes within an item": (
        {"l": [{"name": "a", "x": 1}]},
        {"l": [{"name": "a", "x": None, "y": 2}]},
        {"l": [{"name": "a", "y": 2}]},
    ),
    "null removes what is not there": ({}, {"o": {"a": None, "b": 1}}, {"o": {"b": 1}}),
    "an object replaces a scalar": ({"a": 1}, {"a": {"b": 2}}, {"a": {"b": 2}}),
    "a plain list is replaced": ({"l": [1, 2]}, {"l": [3]}, {"l": [3]}),
    "an empty list removes nothing that is keyed": (
        {"l": [{"name": "a"}]},
        {"l": []},
        {"l": [{"name": "a"}]},
    ),
    "items merge by name": (
        {"l": [{"name": "a", "x": 1}, {"name": "b"}]},
        {"l": [{"name": "a", "y": 2}]},
        {"l": [{"name": "a", "x": 1, "y": 2}, {"name": "b"}]},
    ),
    "new items are appended": (
        {"l": [{"name": "a"}]},
        {"l": [{"name": "b", "x": None}]},
        {"l": [{"name": "a"}, {"name": "b"}]},
    ),
    "a claim takes the place of an emptyDir": (
        {"volumes": [{"name": "model", "emptyDir": {}}, {"name": "shm", "emptyDir": {}}]},
        {"volumes": [{"name": "model", "persistentVolumeClaim": {"claimName": "large"}}]},
        {
            "volumes": [
                {"name": "model", "persistentVolumeClaim": {"claimName": "large"}},
                {"name": "shm", "emptyDir": {}},
            ]
        },
    ),
    "a volume of the same kind merges": (
        {"volumes": [{"name": "shm", "emptyDir": {"medium": "Memory"}}]},
        {"volumes": [{"name": "shm", "emptyDir": {"sizeLimit": "1Gi"}}]},
        {"volumes": [{"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}}]},
    ),
    "a volume is mounted a second time": (
        {"m": [{"name": "scratch", "mountPath": "/scratch"}]},
        {"m": [{"name": "scratch", "mountPath": "/cache"}]},
        {
            "m": [
                {"name": "scratch", "mountPath": "/scratch"},
                {"name": "scratch", "mountPath": "/cache"},
            ]
        },
    ),
    "tolerations are added where there are none": (
        {},
        {"t": [{"key": "gpu", "effect": "NoSchedule"}, {"key": "gpu", "effect": "NoExecute"}]},
        {"t": [{"key": "gpu", "effect": "NoSchedule"}, {"key": "gpu", "effect": "NoExecute"}]},
    ),
    "items without a common key are replaced": (
        {"l": [{"name": "a"}]},
        {"l": [{"port": 1}]},
        {"l": [{"port": 1}]},
    ),
}

named = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from("abc")}, optional={"x": st.none() | st.integers()}
    ),
    unique_by=lambda item: item["name"],
)
values = st.recursive(
    st.none() | st.integers() | st.text(max_size=3) | named,
    lambda inner: st.dictionaries(st.sampled_from("abcd"), inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(st.sampled_from("abcd"), values, max_size=4) | st.fixed_dictionaries(
    {"volumes": named}
)


@pytest.mark.parametrize(("base", "patch", "merged"), CASES.values(), ids=CASES)
def test_merging(base: Any, patch: Any, merged: Any) -> None:
    assert overlaid(base, patch) == merged


@few
@given(objects, objects)
def test_the_same_overlay_twice_is_the_overlay_once(base: Any, patch: Any) -> None:
    once = overlaid(base, patch)
    assert overlaid(once, patch) == once


@few
@given(objects, objects)
def test_neither_side_is_changed(base: Any, patch: Any) -> None:
    before = deepcopy((base, patch))
    overlaid(base, patch)
    assert (base, patch) == before


@few
@given(objects)
def test_an_empty_overlay_changes_nothing_but_nulls(base: Any) -> None:
    assert overlaid(base, {}) == {k: v for k, v in base.items() if v is not None}
