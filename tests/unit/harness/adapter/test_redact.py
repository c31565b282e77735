from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor_harness.adapter.content import Content
from proctor_harness.adapter.messages import Response, primed, whole
from proctor_harness.adapter.redact import Redaction, is_secret
from tests.unit.harness.adapter.asking import JSON_HEADERS, SSE_HEADERS, Target, pieces, question

KEY = "sk-canary-0123456789"


async def through(response: Response) -> Response:
    return await Redaction(KEY)(question(), Target([response]))


async def test_the_key_is_blotted_out_of_headers_and_body() -> None:
    headers = (*JSON_HEADERS, (b"x-echo", f"Bearer {KEY}".encode()))
    response = await through(Response(401, headers, Content(f"bad key {KEY}!".encode())))
    assert isinstance(response.body, Content)
    assert response.body.raw == b"bad key [redacted]!"
    assert response.headers == (*JSON_HEADERS, (b"x-echo", b"Bearer [redacted]"))


async def test_other_answers_are_untouched() -> None:
    response = Response(200, JSON_HEADERS, Content(b"sk-canary"))
    assert await through(response) is response


@given(st.lists(st.integers(min_value=1, max_value=25), max_size=12), st.integers(0, 3))
async def test_a_stream_may_cut_the_key_anywhere(lengths: list[int], keys: int) -> None:
    text = ("sk-can " + KEY) * keys + "sk-cana"
    cuts, at = [], 0
    for length in [*lengths, len(text)]:
        cuts.append(text[at : at + length].encode())
        at += length
    body = await primed(pieces(*cuts))
    response = await whole(await through(Response(200, SSE_HEADERS, body)))
    assert isinstance(response.body, Content)
    assert response.body.raw.decode() == text.replace(KEY, "[redacted]")


async def test_tokens_are_not_held_back() -> None:
    response = await through(Response(200, SSE_HEADERS, await primed(pieces(b"one", b"two"))))
    assert not isinstance(response.body, Content)
    assert await anext(response.body) == b"one"
    await response.body.aclose()


@pytest.mark.parametrize(("key", "expected"), [("EMPTY", False), ("none", False), (KEY, True)])
def test_a_placeholder_is_no_secret(key: str, expected: bool) -> None:
    assert is_secret(key) is expected


async def test_a_changed_answer_keeps_the_rest() -> None:
    response = Response(200, JSON_HEADERS, Content(KEY.encode()))
    changed = await through(response)
    assert replace(changed, body=response.body) == response
