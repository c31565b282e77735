import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor_harness.adapter.content import Content, canonical

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(JSON)
def test_json_and_bytes_are_two_views_of_one_body(value: Any) -> None:
    assert Content(Content.of(value).raw).json == value


@given(st.dictionaries(st.text(), JSON))
def test_the_order_of_keys_does_not_matter(value: dict[str, Any]) -> None:
    turned = dict(reversed(value.items()))
    assert canonical(value) == canonical(turned)


@pytest.mark.parametrize(
    "text",
    ['{"a": NaN}', '{"a": -Infinity}', '{"a": "\\ud800"}', '{"a": 123456789012345678901234567890}'],
)
def test_what_servers_send_beyond_strict_json_survives_a_change(text: str) -> None:
    value = Content(text.encode()).json
    changed = Content.of({**value, "b": 1}).raw
    assert changed == json.dumps({**value, "b": 1}, separators=(",", ":")).encode()
    assert canonical(value)


def test_numbers_keep_every_bit() -> None:
    raw = b'{"logprob": -0.12345678901234568}'
    assert Content(raw).json["logprob"] == json.loads(raw)["logprob"]


@pytest.mark.parametrize("raw", [b"", b"[1]", b"\xff", b"{"])
def test_what_is_no_object_is_none(raw: bytes) -> None:
    assert Content(raw).object is None
