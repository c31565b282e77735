import json
from typing import Any

import pytest

from proctor_harness.adapter import sse
from proctor_harness.adapter.content import Content
from tests.unit.harness.adapter.asking import JSON_HEADERS, SSE_HEADERS


def stream(*events: Any, end: bytes = b"data: [DONE]\n\n") -> bytes:
    return b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in events) + end


def delta(index: int = 0, finish: str | None = None, **fields: Any) -> dict[str, Any]:
    choice = {"index": index, "delta": fields, "finish_reason": finish}
    return {"id": "x", "object": "chat.completion.chunk", "model": "m", "choices": [choice]}


def call(index: int, arguments: str, **fields: Any) -> dict[str, Any]:
    return {"index": index, "function": {"arguments": arguments}, **fields}


def test_chat_deltas_become_messages() -> None:
    raw = stream(
        delta(role="assistant", content=""),
        delta(index=1, role="assistant", content="B"),
        delta(reasoning_content="so"),
        delta(content="A"),
        delta(content="a", finish="stop"),
        delta(index=1, finish="length"),
        {"id": "x", "choices": [], "usage": {"total_tokens": 7}},
    )
    assert sse.coalesced(raw) == {
        "id": "x",
        "object": "chat.completion",
        "model": "m",
        "usage": {"total_tokens": 7},
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": "Aa", "reasoning_content": "so"},
            },
            {
                "index": 1,
                "finish_reason": "length",
                "message": {"role": "assistant", "content": "B"},
            },
        ],
    }


def test_tool_calls_are_put_together_by_their_index() -> None:
    raw = stream(
        delta(tool_calls=[call(0, "", id="a", type="function")]),
        delta(tool_calls=[call(0, '{"x"'), call(1, "{}", id="b")]),
        delta(tool_calls=[call(0, ": 1}", id="")], finish="tool_calls"),
    )
    answer = sse.coalesced(raw)
    assert answer is not None
    message = answer["choices"][0]["message"]
    assert message["content"] == ""
    assert message["tool_calls"] == [
        {"function": {"arguments": '{"x": 1}'}, "id": "a", "type": "function"},
        {"function": {"arguments": "{}"}, "id": "b"},
    ]


def test_completions_keep_their_text_and_log_probs() -> None:
    first = {"index": 0, "text": "a", "logprobs": {"tokens": ["a"], "token_logprobs": [-1.0]}}
    second = {"index": 0, "text": "b", "logprobs": {"tokens": ["b"], "token_logprobs": [-2.0]}}
    raw = stream({"object": "text_completion", "choices": [first]}, {"choices": [second]})
    answer = sse.coalesced(raw)
    assert answer is not None
    assert answer["object"] == "text_completion"
    [choice] = answer["choices"]
    assert choice["text"] == "ab"
    assert choice["logprobs"] == {"tokens": ["a", "b"], "token_logprobs": [-1.0, -2.0]}


def test_an_error_in_the_stream_is_the_answer() -> None:
    assert sse.coalesced(stream(delta(content="a"), {"error": {"message": "x"}})) == {
        "error": {"message": "x"}
    }


@pytest.mark.parametrize("raw", [b"", b": ping\n\n", stream()], ids=["empty", "comment", "done"])
def test_a_stream_without_choices_is_no_answer(raw: bytes) -> None:
    assert sse.coalesced(raw) is None


def test_a_stream_of_no_json_is_an_error() -> None:
    with pytest.raises(ValueError, match="Expecting"):
        sse.coalesced(b"data: {\n\n")


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_the_last_event_needs_no_end(end: bytes) -> None:
    answer = sse.coalesced(b"data:" + json.dumps(delta(content="a")).encode() + end)
    assert answer is not None
    assert answer["choices"][0]["message"]["content"] == "a"


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"error": {"message": "x"}}', {"message": "x"}),
        (b'{"error": null, "choices": [1]}', None),
        (b'{"choices": [{"text": "\\"error\\""}]}', None),
        (b'{"choices": [{"text": "a"}], "error": "warning"}', None),
        (b'"error"', None),
        (b'{"error"', None),
    ],
)
def test_an_error_may_come_with_status_200(body: bytes, found: object) -> None:
    assert sse.error(JSON_HEADERS, Content(body)) == found


def test_an_error_may_come_in_a_stream() -> None:
    assert sse.error(SSE_HEADERS, Content(stream({"error": "x"}))) == "x"
