from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor_cli.local.apply import applied, without_nulls

values = st.recursive(
    st.integers(0, 3) | st.lists(st.integers(0, 3), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.sampled_from("abc"), values, max_size=3)


@pytest.mark.parametrize(
    ("live", "before", "desired", "expected"),
    [
        pytest.param({}, {}, {"a": 1}, {"a": 1}, id="new field"),
        pytest.param({"a": 1}, {"a": 1}, {}, {}, id="no longer given"),
        pytest.param({"a": 1, "b": 2}, {"a": 1}, {}, {"b": 2}, id="another's field stays"),
        pytest.param({"m": {"a": 1, "b": 2}}, {"m": {"a": 1}}, {}, {"m": {"b": 2}}, id="nested"),
        pytest.param({"m": {"a": 1}}, {"m": {"a": 1}}, {}, {}, id="emptied map goes"),
        pytest.param({"l": [1, 2]}, {"l": [1, 2]}, {"l": [3]}, {"l": [3]}, id="lists are whole"),
        pytest.param({"a": {"b": 1}}, {"a": {"b": 1}}, {"a": 2}, {"a": 2}, id="map to scalar"),
    ],
)
def test_applied(live: Any, before: Any, desired: Any, expected: Any) -> None:
    assert applied(live, before, desired) == expected


@settings(deadline=None)
@given(objects, objects)
def test_the_only_manager_gets_exactly_what_it_asks(first: Any, second: Any) -> None:
    once = applied({}, {}, first)
    assert once == first
    twice = applied(once, first, second)
    assert _leaves(twice) == _leaves(second)
    assert applied(twice, second, second) == twice


def test_nulls_were_never_given() -> None:
    assert without_nulls({"a": None, "b": [{"c": None, "d": 1}]}) == {"b": [{"d": 1}]}


def _leaves(value: Any) -> Any:
    """Without empty maps, of which server-side apply has no notion."""
    if not isinstance(value, dict):
        return value
    inner = {key: _leaves(each) for key, each in value.items()}
    return {key: each for key, each in inner.items() if each != {}}
