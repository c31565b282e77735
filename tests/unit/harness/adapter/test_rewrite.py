from typing import Any

import pytest

from proctor_harness.adapter.content import Content
from proctor_harness.adapter.errors import UnreadableError
from proctor_harness.adapter.messages import BrokenAnswerError, Response
from proctor_harness.adapter.rewrite import change_answer, change_question, watched
from tests.unit.harness.adapter.asking import (
    JSON_HEADERS,
    Target,
    ask,
    body,
    question,
    streamed,
)


def marked(value: dict[str, Any]) -> dict[str, Any]:
    return {**value, "marked": True}


async def test_a_question_is_changed_and_its_original_is_not() -> None:
    request, target = question({"a": 1}), Target()
    await ask(change_question(marked), request, target)
    assert target.seen == [{"a": 1, "marked": True}]
    assert request.body.json == {"a": 1}


async def test_what_nobody_changes_passes_byte_for_byte() -> None:
    request, target = question({"a": 1}), Target()
    await ask(change_question(lambda asked: asked), request, target)
    assert target.requests == [request]


async def test_only_questions_are_changed() -> None:
    target = Target()
    for request in (question({}, "/tokenize"), question({}, method="GET")):
        await ask(change_question(marked), request, target)
        assert body(await ask(change_answer(marked), request, target)).get("marked") is None
    assert target.seen == [{}] * 4


@pytest.mark.parametrize("asked", [[1], "text", None])
async def test_a_question_that_cannot_be_changed_is_not_asked(asked: Any) -> None:
    target = Target()
    request = question()
    request = type(request)(request.method, request.target, (), Content.of(asked))
    with pytest.raises(UnreadableError, match="not a JSON object"):
        await ask(change_question(marked), request, target)
    assert target.requests == []


async def test_a_good_answer_is_changed_and_an_error_is_not() -> None:
    assert body(await ask(change_answer(marked), question(), Target([{"a": 1}])))["marked"]
    assert "marked" not in body(await ask(change_answer(marked), question(), Target([500])))


async def test_an_answer_that_cannot_be_changed_is_not_passed_on_as_it_is() -> None:
    with pytest.raises(UnreadableError, match="not a JSON object"):
        await ask(change_answer(marked), question(), Target([Response(200, (), Content(b"x"))]))
    with pytest.raises(UnreadableError, match="put `streaming` after it"):
        await ask(change_answer(marked), question(), Target([await streamed(b"data: {}")]))


async def test_an_answer_is_seen_when_all_of_it_is_there() -> None:
    seen: list[bytes] = []

    def see(_: Response, content: Content) -> None:
        seen.append(content.raw)

    await watched(Response(200, JSON_HEADERS, Content(b"{}")), see)
    assert seen == [b"{}"]
    response = await watched(await streamed(b"a", b"b"), see)
    assert not isinstance(response.body, Content)
    assert await anext(response.body) == b"a"
    assert seen == [b"{}"]
    assert [piece async for piece in response.body] == [b"b"]
    assert seen == [b"{}", b"ab"]


async def test_a_broken_answer_is_not_seen() -> None:
    seen: list[Response] = []
    response = await watched(await streamed(b"a", broken=True), lambda r, _: seen.append(r))
    assert not isinstance(response.body, Content)
    with pytest.raises(BrokenAnswerError):
        [piece async for piece in response.body]
    assert seen == []
