"""Last words that are longer than the kubelet keeps."""

import base64
import bz2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor_crds.packing import LONGEST, PREFIX, packed, unpacked


@given(text=st.text(max_size=1000))
def test_it_reads_back(text: str) -> None:
    assert unpacked(packed(text)) == text


def test_what_is_not_packed_stays() -> None:
    assert unpacked('{"results":[]}') == '{"results":[]}'


BOMB = PREFIX + base64.b64encode(bz2.compress(b"0" * 50_000_000)).decode()


@pytest.mark.parametrize(
    "message",
    [packed("a" * (LONGEST + 1)), BOMB, packed("scores" * 50)[:-20], f"{PREFIX}QlpoZZZZ", PREFIX],
    ids=["too long", "a bomb", "cut off", "other bytes", "nothing"],
)
def test_anything_else_is_refused(message: str) -> None:
    with pytest.raises(ValueError, match=r"bzip2|cut off"):
        unpacked(message)
