from typing import Any

import pytest

from proctor_harness.adapter.flags import Flag, flags
from tests.unit.harness.adapter.asking import reply


def chat(content: Any, finish: str = "stop", **fields: Any) -> dict[str, Any]:
    answer = reply(content, **fields)
    answer["choices"][0]["finish_reason"] = finish
    return answer


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (chat("4"), set()),
        (chat(None, reasoning_content="2 and 2"), {Flag.REASONING_ONLY}),
        (chat("", reasoning="2 and 2"), {Flag.REASONING_ONLY}),
        (chat("<think>2 and 2", "length"), {Flag.REASONING_ONLY, Flag.TRUNCATED}),
        (chat("<think>2 and 2</think>\n"), {Flag.REASONING_ONLY}),
        (chat("2 and 2</think>"), {Flag.REASONING_ONLY}),
        (chat("<think>2 and 2</think>4"), set()),
        (chat("<think></think>4"), set()),
        (chat("4 <think>sure?"), set()),
        (chat(" \n"), {Flag.EMPTY}),
        (chat(None), {Flag.EMPTY}),
        (chat([{"type": "text", "text": "4"}]), set()),
        (chat(None, tool_calls=[{"id": "1"}]), set()),
        (chat("4", "length"), {Flag.TRUNCATED}),
        ({"choices": [{"text": "4"}]}, set()),
        ({"choices": [{"text": ""}]}, {Flag.EMPTY}),
        ({"choices": [{"text": "4"}, {"text": " "}]}, {Flag.EMPTY}),
        ({"choices": "none"}, set()),
        ({"data": []}, set()),
    ],
)
def test_flags(answer: dict[str, Any], expected: set[Flag]) -> None:
    assert flags({}, answer) == expected


@pytest.mark.parametrize("asked", [{"echo": True}, {"max_tokens": 0}])
def test_an_answer_without_words_may_be_what_was_asked(asked: dict[str, Any]) -> None:
    assert flags(asked, {"choices": [{"text": "", "finish_reason": "length"}]}) == set()
