import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor_runtime.openai.partial_json import WrittenObject, read_object

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=4), st.sampled_from([None, 2]))
def test_an_object_is_read_as_it_is_written(value: dict[str, object], indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    whole = read_object(text + " and more")
    assert whole is not None
    assert whole.end == len(text)
    assert {name: json.loads(raw) for name, raw in whole.members.items()} == value
    for end in range(1, len(text)):
        part = read_object(text[:end])
        assert part is not None
        assert part.end is None
        for name, raw in part.members.items():
            assert whole.members[name].startswith(raw)
            if part.finished(name) is not None:
                assert raw == whole.members[name]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("[1]", None),
        ("", None),
        ("{", WrittenObject()),
        ('{"a"', WrittenObject()),
        ('{"a": 1', WrittenObject({"a": "1"}, unfinished="a")),
        ('{"a": 1,', WrittenObject({"a": "1"})),
        ('{"a": "x', WrittenObject({"a": '"x'}, unfinished="a")),
        ("{'a': 1}", WrittenObject()),
    ],
    ids=["no object", "nothing", "open", "name", "number", "next", "string", "broken"],
)
def test_what_stands_of_it(text: str, read: WrittenObject | None) -> None:
    assert read_object(text) == read


@pytest.mark.parametrize("value", ["1" * 5000, "[" * 3000], ids=["many digits", "a deep hole"])
def test_what_a_model_repeats_for_ever_is_unfinished(value: str) -> None:
    found = read_object('{"x": ' + value)
    assert found is not None
    assert found.finished("x") is None


def test_a_number_may_have_many_digits() -> None:
    found = read_object('{"x": ' + "1" * 5000 + "}")
    assert found is not None
    assert found.finished("x") == "1" * 5000
