"""Which object an applier means."""

import pytest

from proctor_cli.local.preconditions import check
from proctor_operator.cluster import ClusterError, Manifest, Rejected

LIVE = {"kind": "Job", "metadata": {"name": "work", "uid": "a", "resourceVersion": "7"}}


def meant(**meta: str) -> Manifest:
    return {"kind": "Job", "metadata": {"name": "work", **meta}}


@pytest.mark.parametrize(
    "meta", [{}, {"uid": "a"}, {"resourceVersion": "7"}, {"uid": "a", "resourceVersion": "7"}]
)
def test_the_one_that_is_meant(meta: dict[str, str]) -> None:
    check(meant(**meta), LIVE)


def test_another_object() -> None:
    with pytest.raises(Rejected, match=r'Job "work" is invalid: metadata\.uid: .* "b"'):
        check(meant(uid="b"), LIVE)


@pytest.mark.parametrize(
    ("meta", "live", "words"),
    [({"resourceVersion": "6"}, LIVE, "not at version 6"), ({"uid": "a"}, None, "there is no Job")],
    ids=["changed", "gone"],
)
def test_what_looking_again_may_cure(
    meta: dict[str, str], live: Manifest | None, words: str
) -> None:
    with pytest.raises(ClusterError, match=words) as refusal:
        check(meant(**meta), live)
    assert not isinstance(refusal.value, Rejected)


def test_a_new_object() -> None:
    check(meant(), None)
