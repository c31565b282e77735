import json
from http import HTTPStatus

import pytest

from proctor_harness.adapter.openai import error_body, items, usage


@pytest.mark.parametrize(
    ("target", "body", "expected"),
    [
        ("/v1/completions", {"prompt": "text"}, 1),
        ("/v1/completions?x=1", {"prompt": ["a", "b"]}, 2),
        ("/v1/completions", {"prompt": [1, 2, 3]}, 1),
        ("/v1/completions", {"prompt": [[1], [2, 3]]}, 2),
        ("/v1/completions", {"prompt": []}, 1),
        ("/v1/chat/completions", {"messages": []}, 1),
        ("/tokenize", {"prompt": "text"}, 0),
        ("/v1/completions", [], 0),
    ],
)
def test_items(target: str, body: object, expected: int) -> None:
    assert items(target, json.dumps(body).encode()) == expected


def test_what_is_not_json_has_no_items() -> None:
    assert items("/v1/completions", b"\xff") == 0


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


def test_an_error_has_openais_shape() -> None:
    error = json.loads(error_body(HTTPStatus.BAD_GATEWAY, "why"))["error"]
    assert error == {"message": "why", "type": "upstream_error", "code": "Bad Gateway"}
