"""Interceptors that change what the model is asked."""

from pathlib import Path
from typing import Any

import pytest

from proctor_harness.adapter.errors import UnreadableError
from proctor_harness.adapter.messages import Request
from tests.unit.harness.adapter.asking import JSON_HEADERS, Target, ask, make, question, site

SYSTEM = {"role": "system", "content": "old"}
USER = {"role": "user", "content": "2+2?"}


async def seen(name: str, root: Path, body: Any, **config: Any) -> Any:
    target = Target()
    await ask(make(name, site(root), **config), question(body), target)
    return target.seen[0]


@pytest.mark.parametrize(
    ("strategy", "messages", "content"),
    [
        ("prepend", [USER], "new"),
        ("prepend", [SYSTEM, USER], "new\nold"),
        ("append", [SYSTEM, USER], "old\nnew"),
        ("replace", [SYSTEM, USER, SYSTEM], "new"),
        ("prepend", [SYSTEM, USER, SYSTEM], "new\nold\nold"),
        (
            "append",
            [{"role": "system", "content": [{"type": "text", "text": "old"}]}, USER],
            "old\nnew",
        ),
    ],
)
async def test_system_message(
    strategy: str, messages: list[Any], content: str, tmp_path: Path
) -> None:
    body = {"messages": messages, "n": 1}
    found = await seen("system_message", tmp_path, body, system_message="new", strategy=strategy)
    assert found == {"messages": [{"role": "system", "content": content}, USER], "n": 1}


async def test_a_completion_has_no_system_message(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="use chat"):
        await seen("system_message", tmp_path, {"prompt": "x"}, system_message="new")


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([USER], [USER]),
        ([SYSTEM, USER], [SYSTEM, USER]),
        ([USER, SYSTEM], [SYSTEM, USER]),
        ([SYSTEM, USER, SYSTEM], [{"role": "system", "content": "old|old"}, USER]),
        ([USER, {"role": "system", "content": ""}], [USER]),
    ],
)
async def test_consolidate_system(messages: list[Any], expected: list[Any], tmp_path: Path) -> None:
    found = await seen("consolidate_system", tmp_path, {"messages": messages}, separator="|")
    assert found["messages"] == expected


async def test_drop_params_leaves_out_what_stands_at_the_top(tmp_path: Path) -> None:
    body = {"seed": 1, "top_k": 2, "nested": {"seed": 3}}
    found = await seen("drop_params", tmp_path, body, params=["seed", "absent"])
    assert found == {"top_k": 2, "nested": {"seed": 3}}


async def test_modify_tools(tmp_path: Path) -> None:
    parameters = {"properties": {"a": {}, "b": {"type": "integer"}}, "required": ["a", "b"]}
    tools = [
        {"type": "function", "function": {"name": "f", "parameters": parameters}},
        {"name": "bare", "parameters": {"properties": {"c": {}}}},
        {"type": "function", "function": {"name": "g"}},
        {"type": "web_search"},
    ]
    found = await seen(
        "modify_tools",
        tmp_path,
        {"tools": tools},
        strip_properties=["a"],
        add_properties={"b": {"type": "string"}, "d": {"type": "string"}},
    )
    first, bare, *others = found["tools"]
    assert first["function"]["parameters"] == {
        "properties": {"b": {"type": "integer"}, "d": {"type": "string"}},
        "required": ["b"],
    }
    assert bare["parameters"]["properties"].keys() == {"b", "c", "d"}
    assert others == tools[2:]
    assert await seen("modify_tools", tmp_path, {"n": 1}, strip_properties=["a"]) == {"n": 1}


async def test_payload_modifier_removes_adds_and_then_renames(tmp_path: Path) -> None:
    body = {"a": 1, "b": 2, "deep": [{"a": 3, "c": 4}], "max_tokens": 5}
    found = await seen(
        "payload_modifier",
        tmp_path,
        body,
        params_to_remove=["a"],
        params_to_add={"b": 9, "new": 1},
        params_to_rename={"max_tokens": "max_completion_tokens", "new": "newer", "absent": "x"},
    )
    assert found == {"b": 9, "deep": [{"c": 4}], "max_completion_tokens": 5, "newer": 1}


async def test_payload_modifier_changes_headers(tmp_path: Path) -> None:
    target = Target()
    modifier = make(
        "payload_modifier",
        site(tmp_path),
        headers_to_remove=["X-Gone"],
        headers_to_rename={"X-Old": "X-New"},
        headers_to_add={"Accept": "text/plain", "Host": "evil", "Authorization": "Basic x"},
    )
    headers = ((b"x-gone", b"1"), (b"x-old", b"2"), (b"accept", b"*/*"), *JSON_HEADERS)
    request = Request("POST", "/v1/completions", headers, question({}).body)
    await ask(modifier, request, target)
    assert target.requests[0].headers == (
        (b"x-new", b"2"),
        *JSON_HEADERS,
        (b"accept", b"text/plain"),
        (b"authorization", b"Basic x"),
    )


async def test_bookkeeping_keeps_its_headers(tmp_path: Path) -> None:
    target = Target()
    modifier = make("payload_modifier", site(tmp_path), headers_to_add={"x": "y"})
    await ask(modifier, question({}, "/tokenize"), target)
    assert target.requests[0].headers == JSON_HEADERS


async def test_endpoint_adds_what_every_question_has(tmp_path: Path) -> None:
    target = Target()
    config = {"extra_body": {"top_k": 1, "n": 2}, "extra_headers": {"X-Route": "b", "Host": "evil"}}
    endpoint = make("endpoint", site(tmp_path), **config)
    request = Request("POST", "/v1/completions", ((b"x-route", b"a"),), question({"n": 1}).body)
    await ask(endpoint, request, target)
    assert target.seen == [{"n": 2, "top_k": 1}]
    assert target.requests[0].headers == ((b"x-route", b"b"),)
