import json

import pytest

from proctor_harness.adapter.content import Content
from proctor_harness.adapter.messages import Request
from proctor_harness.adapter.openai import is_question, items, text, usage


@pytest.mark.parametrize(
    ("target", "body", "expected"),
    [
        ("/v1/completions", {"prompt": "text"}, 1),
        ("/v1/completions?x=1", {"prompt": ["a", "b"]}, 2),
        ("/v1/completions/", {"prompt": [1, 2, 3]}, 1),
        ("/v1/completions", {"prompt": [[1], [2, 3]]}, 2),
        ("/v1/completions", {"prompt": []}, 1),
        ("/v1/chat/completions", {"messages": []}, 1),
        ("/tokenize", {"prompt": "text"}, 0),
        ("/v1/completions", [], 0),
    ],
)
def test_items(target: str, body: object, expected: int) -> None:
    assert items(target, Content(json.dumps(body).encode())) == expected


def test_what_is_not_json_has_no_items() -> None:
    assert items("/v1/completions", Content(b"\xff")) == 0


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("POST", "/v1/chat/completions", True),
        ("POST", "/v1/completions?a=/models", True),
        ("POST", "/v1/embeddings/", True),
        ("GET", "/v1/completions", False),
        ("POST", "/tokenize?x=/completions", False),
    ],
)
def test_questions(method: str, target: str, expected: bool) -> None:
    assert is_question(Request(method, target, (), Content(b""))) is expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"choices": [], "usage": {"prompt_tokens": 3, "x": null}}', {"prompt_tokens": 3}),
        (b'data: {"usage": null}\n\ndata: {"usage": {"a": 1}}\n\n', {"a": 1}),
        (b'data: {"usage": null}\n\ndata: [DONE]\n\n', None),
        (json.dumps({"text": '"usage": {"a": 1}'}).encode(), None),
        (b'{"usage": {"a": ', None),
        (b"", None),
    ],
    ids=["plain", "stream", "null", "in a text", "cut off", "empty"],
)
def test_usage(body: bytes, expected: dict[str, int] | None) -> None:
    assert usage(body) == expected


def test_text_is_a_string_or_parts() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "image_url"}, {"text": None}, {"text": "b"}]
    assert [text(content) for content in ("a", parts, None, 3)] == ["a", "ab", "", ""]
