"""Names of children are stable, short, and valid for whatever they name."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor_operator.children.naming import (
    NAME_LIMIT,
    bounded,
    child,
    digest,
    hashed_name,
    owner_labels,
)
from tests.builders import make_deployment, make_run

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
labels = st.from_regex(r"[a-z]([-a-z0-9]{0,120}[a-z0-9])?", fullmatch=True)
contents = st.dictionaries(st.text(), st.integers() | st.text() | st.lists(st.text()))


@given(labels, st.integers(min_value=20, max_value=NAME_LIMIT))
def test_a_bounded_name_is_a_label(name: str, limit: int) -> None:
    assert len(bounded(name, limit)) <= limit
    assert LABEL.fullmatch(bounded(name, limit))


@given(labels, contents)
def test_a_hashed_name_is_a_label(prefix: str, content: dict[str, object]) -> None:
    assert len(hashed_name(prefix, content)) <= NAME_LIMIT
    assert LABEL.fullmatch(hashed_name(prefix, content))


@given(contents)
def test_a_digest_does_not_depend_on_the_order_of_fields(content: dict[str, object]) -> None:
    assert digest(content) == digest(dict(reversed(content.items())))


def test_a_digest_is_the_same_in_every_process() -> None:
    assert digest({"b": [1, 2], "a": "ä"}) == "309c7942c6"


def test_a_name_that_fits_is_left_alone() -> None:
    assert bounded("a" * 63) == "a" * 63


def test_long_names_that_differ_at_their_end_stay_different() -> None:
    assert bounded("a" * 70 + "b") != bounded("a" * 70 + "c")


def test_a_name_is_not_cut_at_a_hyphen() -> None:
    assert "--" not in bounded("a" * 51 + "-" + "b" * 40)


@pytest.mark.parametrize("content", [{"a": 2}, {"a": "1"}, {"a": 1, "b": None}], ids=str)
def test_other_content_is_another_name(content: dict[str, object]) -> None:
    assert hashed_name("run", content) != hashed_name("run", {"a": 1})


def test_each_kind_labels_its_children_with_its_name() -> None:
    managed = {"app.kubernetes.io/managed-by": "proctor"}
    assert owner_labels(make_deployment("demo")) == managed | {"proctor.dev/deployment": "demo"}
    assert owner_labels(make_run("run")) == managed | {"proctor.dev/run": "run"}


def test_a_child_goes_with_its_owner() -> None:
    made = child(make_run("run"), "batch/v1", "Job", "job", spec={"x": 1})
    assert made == {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": "job",
            "namespace": "team",
            "labels": owner_labels(make_run("run")),
            "ownerReferences": [
                {
                    "apiVersion": "proctor.dev/v1alpha1",
                    "kind": "EvaluationRun",
                    "name": "run",
                    "uid": "uid-of-run",
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": {"x": 1},
    }
