"""What an object's metadata tells."""

from proctor_operator.metadata import ending, owned
from tests.builders import STAMP, make_pod


def test_an_object_ends_from_the_moment_it_is_deleted() -> None:
    assert ending(make_pod(deletionTimestamp=STAMP))
    assert not ending(make_pod())


def test_an_object_belongs_to_whom_its_owners_name_by_uid() -> None:
    assert owned(make_pod(job="a"), "uid-of-a")
    assert not owned(make_pod(job="a"), "uid-of-b")
    assert not owned({"metadata": {}}, "uid-of-a")
