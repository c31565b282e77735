"""The plan brings the observed to the desired, and then has nothing left to do."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor_operator.cluster import Manifest, Ref
from proctor_operator.plan import Desired, Plan, drifted, plan

few = settings(max_examples=25)

scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=2)
    ),
    max_leaves=5,
)
specs = st.dictionaries(st.sampled_from("abcd"), values, max_size=2)


def named(name: str, spec: Any = None, **meta: Any) -> Manifest:
    """A Job with nothing but a name and a spec."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": "team", **meta},
        "spec": spec or {},
    }


@st.composite
def states(draw: st.DrawFn) -> list[Manifest]:
    """Objects of different names."""
    return [named(n, draw(specs)) for n in draw(st.sets(st.sampled_from("xyz")))]


def carried_out(steps: Plan, observed: list[Manifest]) -> list[Manifest]:
    """What a cluster holds after the plan, its own defaults added."""
    by_ref = {Ref.of(m): m for m in observed}
    by_ref |= {Ref.of(m): deepcopy(m) | {"status": {"added": 1}} for m in steps.apply}
    return [m for ref, m in by_ref.items() if ref not in steps.delete]


@few
@given(states(), states(), st.sets(st.sampled_from("xyz")))
def test_a_plan_carried_out_leaves_nothing_to_do(
    desired: list[Manifest], observed: list[Manifest], kept: set[str]
) -> None:
    wanted = Desired(desired, frozenset(Ref.of(named(n)) for n in kept))
    after = carried_out(plan(wanted, observed), observed)
    assert plan(wanted, after) == Plan([], [])


@few
@given(states(), states())
def test_nothing_is_both_applied_and_deleted(
    desired: list[Manifest], observed: list[Manifest]
) -> None:
    steps = plan(Desired(desired), observed)
    assert {Ref.of(m) for m in steps.apply}.isdisjoint(steps.delete)


@few
@given(specs, specs)
def test_what_holds_all_that_is_desired_has_not_drifted(desired: Any, more: Any) -> None:
    superset = more | desired
    assert drifted(named("a", desired), named("a", superset) | {"status": {}}) is None


@few
@given(states())
def test_order_is_kept(desired: list[Manifest]) -> None:
    assert plan(Desired(desired), []).apply == desired


DRIFTS: dict[str, tuple[Any, Any, str]] = {
    "changed": ({"a": 1}, {"a": 2}, ".spec.a"),
    "missing": ({"a": 1}, {}, ".spec.a"),
    "deep": ({"l": [{"x": 1}]}, {"l": [{"x": 2}]}, ".spec.l[0].x"),
    "shorter list": ({"l": [1, 2]}, {"l": [1]}, ".spec.l"),
    "longer list": ({"l": [1]}, {"l": [1, 2]}, ".spec.l"),
    "zero is not absent": ({"replicas": 0}, {}, ".spec.replicas"),
    "false is not true": ({"suspend": False}, {"suspend": True}, ".spec.suspend"),
    "other type": ({"o": {"x": 1}}, {"o": "x"}, ".spec.o"),
}


@pytest.mark.parametrize(("desired", "observed", "path"), DRIFTS.values(), ids=DRIFTS)
def test_drift_is_told_by_its_path(desired: Any, observed: Any, path: str) -> None:
    assert drifted(named("a", desired), named("a", observed)) == path


@pytest.mark.parametrize("value", [None, False, "", {}, []], ids=repr)
def test_what_the_apiserver_does_not_store_is_no_drift(value: Any) -> None:
    assert drifted(named("a", {"f": value}), named("a", {})) is None


def test_an_amount_that_the_apiserver_spells_otherwise_is_no_drift() -> None:
    asked = {"resources": {"requests": {"cpu": 2, "memory": "2048Mi"}}}
    kept = {"resources": {"requests": {"cpu": "2", "memory": "2Gi"}}}
    assert drifted(named("a", asked), named("a", kept)) is None
    less = {"resources": {"requests": {"cpu": "1", "memory": "2Gi"}}}
    assert drifted(named("a", asked), named("a", less)) == ".spec.resources.requests.cpu"
    assert drifted(named("a", {"replicas": 2}), named("a", {"replicas": "2"})) == ".spec.replicas"


def test_an_object_that_is_being_deleted_is_made_anew_and_not_deleted_again() -> None:
    dying = named("a", deletionTimestamp="2026-01-01T00:00:00Z")
    assert plan(Desired([named("a")]), [dying]).apply == [named("a")]
    assert plan(Desired([]), [dying]).delete == []


def test_what_may_stay_is_neither_applied_nor_deleted() -> None:
    steps = plan(Desired([], frozenset({Ref.of(named("a"))})), [named("a"), named("b")])
    assert steps == Plan([], [Ref.of(named("b"))])
