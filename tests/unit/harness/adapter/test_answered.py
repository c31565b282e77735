import json
from typing import Any

import pytest

from proctor_harness.adapter.answered import answered
from proctor_harness.adapter.content import Content
from proctor_harness.adapter.messages import (
    BrokenAnswerError,
    Headers,
    LongAnswerError,
    Origin,
    Response,
    Stream,
    primed,
)
from tests.unit.harness.adapter.asking import (
    CHAT,
    JSON_HEADERS,
    NO_ANSWERS,
    SSE_HEADERS,
    Target,
    body,
    pieces,
    question,
    reply,
)

HTML: Headers = ((b"content-type", b"text/html"),)
EVENT = b'data: {"choices": [{"index": 0, "delta": {"content": "4"}, "finish_reason": null}]}\n\n'
LAST = EVENT.replace(b"null", b'"stop"')
DONE = b"data: [DONE]\n\n"


async def asked(
    content: bytes | Stream, headers: Headers = JSON_HEADERS, status: int = 200, path: str = CHAT
) -> Response:
    held = Content(content) if isinstance(content, bytes) else await primed(content)
    return await answered(question(target=path), Target([Response(status, headers, held)]))


def said(response: Response) -> str:
    assert (response.status, response.origin) == (502, Origin.NOBODY)
    error = body(response)["error"]
    assert (error["type"], error["code"]) == ("upstream_error", "no_answer")
    return str(error["message"])


@pytest.mark.parametrize("headers", [JSON_HEADERS, HTML, SSE_HEADERS, ()])
@pytest.mark.parametrize("content", NO_ANSWERS.values(), ids=NO_ANSWERS)
async def test_a_good_status_is_no_answer(content: bytes, headers: Headers) -> None:
    shown = content[:200].decode() or "nothing"
    assert said(await asked(content, headers)) == (
        f"the target answered HTTP 200, but no answer: {shown}"
    )


@pytest.mark.parametrize("status", [201, 202, 204])
async def test_nor_is_a_promise(status: int) -> None:
    assert f"HTTP {status}" in said(await asked(b"", (), status))


async def test_an_error_in_place_of_an_answer_is_quoted() -> None:
    words = said(await asked(b'{"error": {"message": "overloaded"}}'))
    assert words.endswith('but an error: {"error": {"message": "overloaded"}}')


async def test_a_long_page_is_cut() -> None:
    assert len(said(await asked(b"<p>" * 1000, HTML))) < 300


@pytest.mark.parametrize(
    ("path", "content"),
    [
        (CHAT, reply(None)),
        (CHAT, reply("")),
        (CHAT, reply(None, tool_calls=[])),
        (CHAT, reply() | {"error": None}),
        (CHAT, {"choices": [{"message": {}}]}),
        ("/v1/completions", {"choices": [{"text": ""}]}),
        ("/v1/completions", {"choices": [{"text": None}]}),
        ("/v1/embeddings", {"data": [{"embedding": []}]}),
        ("/v1/responses", {"output": [{"type": "message"}], "error": None}),
        ("/v1/responses", {"status": "completed", "output": []}),
        ("/v1/responses", {"status": "incomplete", "output": [], "error": None}),
    ],
)
async def test_an_answer_passes_as_it_is(path: str, content: dict[str, Any]) -> None:
    raw = json.dumps(content).encode()
    found = await asked(raw, path=path)
    assert isinstance(found.body, Content)
    assert (found.status, found.origin, found.body.raw) == (200, Origin.TARGET, raw)


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/v1/embeddings", {"data": []}),
        ("/v1/embeddings", reply()),
        ("/v1/responses", {"output": []}),
        ("/v1/responses", {"status": "completed"}),
        ("/v1/responses", {"status": "completed", "output": "text"}),
        ("/v1/responses", {"status": "in_progress", "output": []}),
        ("/v1/responses", {"output": [], "error": {"code": "server_error"}}),
    ],
)
async def test_each_path_has_answers_of_its_own(path: str, content: dict[str, Any]) -> None:
    said(await asked(json.dumps(content).encode(), path=path))


@pytest.mark.parametrize(("path", "status"), [("/tokenize", 200), ("/v1/models", 200), (CHAT, 400)])
async def test_bookkeeping_and_failures_are_not_looked_at(path: str, status: int) -> None:
    assert (await asked(b"", status=status, path=path)).status == status


async def test_what_is_no_stream_is_waited_for() -> None:
    whole = json.dumps(reply()).encode()
    found = await asked(pieces(whole[:9], whole[9:]))
    assert isinstance(found.body, Content)
    assert found.body.raw == whole


async def test_and_if_it_breaks_that_can_be_told() -> None:
    found = await asked(pieces(b"{", error=BrokenAnswerError("cut")))
    assert (found.status, found.origin) == (502, Origin.NOBODY)
    assert body(found)["error"]["message"] == "the answer broke off: cut"


async def test_what_no_model_writes_is_no_answer() -> None:
    found = await asked(pieces(b"{", error=LongAnswerError("longer than 64 MiB")))
    assert said(found) == "the target answered HTTP 200, but longer than 64 MiB"


STREAMS = {
    "done": EVENT + DONE,
    "finished": LAST,
    "then usage": LAST + b'data: {"choices": [], "usage": {}}\n\n' + DONE,
    "an error, which tells of itself": b'data: {"error": {"code": 400}}\n\n',
}
COMPLETED = b'data: {"type": "response.completed", "response": {"output": [{}]}}\n\n'
CREATED = b'data: {"type": "response.created", "response": {"output": []}}\n\n'
AT_ONCE = COMPLETED.replace(b'"output": [{}]', b'"status": "completed", "output": []')
BEGUN = COMPLETED.replace(b"completed", b"in_progress")


@pytest.mark.parametrize("raw", STREAMS.values(), ids=STREAMS)
async def test_a_stream_passes_piece_by_piece(raw: bytes) -> None:
    found = await asked(pieces(raw[:20], raw[20:]), SSE_HEADERS)
    assert not isinstance(found.body, Content)
    assert [piece async for piece in found.body] == [raw[:20], raw[20:]]


@pytest.mark.parametrize("headers", [SSE_HEADERS, HTML])
async def test_a_stream_may_come_in_one_piece_and_under_any_name(headers: Headers) -> None:
    assert (await asked(EVENT + DONE, headers)).status == 200


async def test_a_stream_of_responses_ends_with_the_whole() -> None:
    assert (await asked(CREATED + COMPLETED, SSE_HEADERS, path="/v1/responses")).status == 200
    assert (await asked(CREATED + AT_ONCE, SSE_HEADERS, path="/v1/responses")).status == 200
    said(await asked(CREATED, SSE_HEADERS, path="/v1/responses"))
    said(await asked(BEGUN + DONE, SSE_HEADERS, path="/v1/responses"))


@pytest.mark.parametrize("raw", [b"", DONE, b": ping\n\n", EVENT, b"data: {\n\n" + DONE])
async def test_a_stream_without_an_answer_or_its_end_breaks(raw: bytes) -> None:
    found = await asked(pieces(raw), SSE_HEADERS)
    assert not isinstance(found.body, Content)
    assert await anext(found.body) == raw
    with pytest.raises(BrokenAnswerError, match="no answer: "):
        await anext(found.body)
