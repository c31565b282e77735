import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor_cli.local.job_index import INDEX, completed, completed_text, index_of, missing
from proctor_operator.cluster import Manifest


def pod(index: int) -> Manifest:
    return {"metadata": {"annotations": {INDEX: str(index)}}}


@pytest.mark.parametrize(
    ("indexes", "text"),
    [({0}, "0"), ({0, 1, 2}, "0-2"), ({0, 2, 3, 4, 9}, "0,2-4,9"), (set(), "")],
)
def test_indexes_are_written_as_kubernetes_does(indexes: set[int], text: str) -> None:
    assert completed_text(indexes) == text
    assert completed({"completedIndexes": text} if text else {}) == indexes


@given(st.sets(st.integers(0, 200)))
def test_they_read_back_equal(indexes: set[int]) -> None:
    assert completed({"completedIndexes": completed_text(indexes)}) == indexes


def test_what_nobody_works_at_is_missing() -> None:
    job = {"spec": {"completions": 6}, "status": {"completedIndexes": "0,2"}}
    assert missing(job, [pod(1), pod(4)]) == [3, 5]
    assert index_of({"metadata": {}}) is None
