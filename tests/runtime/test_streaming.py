"""Streams: framed as OpenAI frames them, and adding up to what is answered at once."""

from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from proctor_runtime.engine.batcher import Batcher
from proctor_runtime.engine.fake import FakeEngine
from proctor_runtime.openai.tool_parsers import TOOL_PARSERS
from tests.runtime.characters import EOS, CharacterTokenizer
from tests.runtime.letters import batcher_of, letters, says
from tests.runtime.sse import assert_chunk, assert_completion_chunk, chunks_of

BODY = {"model": "letters", "temperature": 0, "add_special_tokens": False}
HELLO = [{"role": "user", "content": "hi"}]


async def stream(client: httpx.AsyncClient, **fields: Any) -> list[dict[str, Any]]:
    answer = await client.post("/completions", json={**BODY, **fields, "stream": True})
    chunks = chunks_of(answer)
    for chunk in chunks:
        assert_completion_chunk(chunk)
    return chunks


async def stream_chat(client: httpx.AsyncClient, **fields: Any) -> list[dict[str, Any]]:
    body = {"model": "letters", "temperature": 0, "messages": HELLO, **fields, "stream": True}
    chunks = chunks_of(await client.post("/chat/completions", json=body))
    for chunk in chunks:
        assert_chunk(chunk)
    return chunks


def added_up(chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the choices that a stream of text adds up to."""
    whole: dict[int, dict[str, Any]] = {}
    for choice in (choice for chunk in chunks for choice in chunk["choices"]):
        so_far = whole.setdefault(choice["index"], {**choice, "text": "", "logprobs": None})
        assert so_far["finish_reason"] is None or so_far["text"] == ""
        so_far["text"] += choice["text"]
        so_far["finish_reason"] = choice["finish_reason"]
        so_far["stop_reason"] = choice["stop_reason"]
        if choice["logprobs"]:
            lists = so_far["logprobs"] or {name: [] for name in choice["logprobs"]}
            so_far["logprobs"] = {n: [*lists[n], *choice["logprobs"][n]] for n in lists}
    return [whole[index] for index in sorted(whole)]


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": "abc", "max_tokens": 5},
        {"prompt": ["abc", "x"], "max_tokens": 3, "n": 2},
        {"prompt": "abc", "max_tokens": 9, "stop": ["gh", "x"]},
        {"prompt": "abc", "max_tokens": 9, "stop": "gh", "include_stop_str_in_output": True},
        {"prompt": "abc", "max_tokens": 9, "stop_token_ids": [103]},
        {"prompt": "abc", "max_tokens": 9, "stop": ["d", "fg", "k"], "min_tokens": 6},
        {"prompt": "abx", "max_tokens": 2, "echo": True, "logprobs": 2},
        {"prompt": [[97, 98]], "max_tokens": 0, "echo": True, "logprobs": 1},
        {"prompt": "abc", "max_tokens": 9, "stop": "ghx", "logprobs": 1},
        {"prompt": "a", "max_tokens": 20, "temperature": 1, "seed": 3, "n": 3},
        {"prompt": [[253, 254]], "max_tokens": 9},
    ],
    ids=str,
)
async def test_a_stream_adds_up_to_the_answer(
    client: httpx.AsyncClient, fields: dict[str, Any]
) -> None:
    at_once = (await client.post("/completions", json={**BODY, **fields})).json()["choices"]
    assert added_up(await stream(client, **fields)) == at_once


async def test_chunks_share_their_envelope(client: httpx.AsyncClient) -> None:
    chunks = await stream(client, prompt="abc", max_tokens=4)
    assert len({(c["id"], c["created"], c["model"], c["object"]) for c in chunks}) == 1
    assert chunks[0]["object"] == "text_completion"
    assert [c["choices"][0]["finish_reason"] for c in chunks] == [None, None, None, "length"]
    assert all("usage" not in chunk for chunk in chunks)


async def test_usage_comes_last_where_it_is_asked_for(client: httpx.AsyncClient) -> None:
    options = {"include_usage": True}
    *chunks, last = await stream(client, prompt="abc", max_tokens=4, n=2, stream_options=options)
    assert {chunk["usage"] for chunk in chunks} == {None}
    assert last["choices"] == []
    assert last["usage"] == {"prompt_tokens": 3, "completion_tokens": 8, "total_tokens": 11}


class PeculiarTokenizer(CharacterTokenizer):
    """``c`` and ``d`` are the two bytes of one character; a text's first space is dropped."""

    def decode(self, tokens: Sequence[int], *, skip_special_tokens: bool = True) -> str:
        said = [token for token in tokens if not (skip_special_tokens and token == EOS)]
        of_bytes = bytes({99: 0xC3, 100: 0xA9}.get(token, token) for token in said)
        return of_bytes.decode(errors="replace").removeprefix(" ")


BEFORE_SPACE = chr(ord(" ") - 1)
CONTINUED = {
    "messages": [{"role": "assistant", "content": BEFORE_SPACE}],
    "continue_final_message": True,
    "add_generation_prompt": False,
}
TOOL = {"type": "function", "function": {"name": "f"}}
SPECIAL = {"stop": "\x00\x01", "ignore_eos": True}


@pytest.mark.parametrize(
    ("route", "fields", "made"),
    [
        ("/completions", {"prompt": "a", "stop": "é"}, 3),
        ("/completions", {"prompt": "a", "stop": "bé"}, 3),
        ("/completions", {"prompt": "{", "skip_special_tokens": False, **SPECIAL}, 134),
        ("/chat/completions", {"messages": HELLO, "tools": [TOOL], **SPECIAL}, 195),
        ("/completions", {"prompt": "{", **SPECIAL}, 200),
        ("/completions", {"prompt": BEFORE_SPACE, "stop": " !"}, 2),
        ("/chat/completions", CONTINUED | {"stop": " !"}, 2),
    ],
    ids=[
        "half by half",
        "with more",
        "a special token",
        "tools' special tokens",
        "left out",
        "first space",
        "first space of a continued message",
    ],
)
async def test_a_stop_ends_the_model_where_it_ends_the_stream(
    route: str, fields: dict[str, Any], made: int
) -> None:
    engine, tokenizer = FakeEngine(max_sequence_length=512), PeculiarTokenizer()
    batcher = Batcher(engine, decode=tokenizer.decode)
    batcher.start()
    server = letters(engine, batcher, tokenizer=tokenizer, tool_parser=TOOL_PARSERS["hermes"])
    async with server.client() as client:
        body = {**BODY, "max_tokens": 200, **fields}
        usage = (await client.post(route, json=body)).json()["usage"]
        body |= {"stream": True, "stream_options": {"include_usage": True}}
        *_, last = chunks_of(await client.post(route, json=body))
    batcher.close()
    assert usage["completion_tokens"] == made
    assert last["usage"] == usage


async def test_no_chunk_has_a_part_of_the_stop_text() -> None:
    async with says("one two thee three four").client() as client:
        chunks = await stream(client, prompt="x", max_tokens=30, stop=["three"])
    texts = [choice["text"] for chunk in chunks for choice in chunk["choices"]]
    assert "".join(texts) == "one two thee "
    # What might have become the stop text came in one piece when it had not.
    assert "the" in texts
    assert not {"t", "th", "thr"} & set(texts)
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["choices"][0]["stop_reason"] == "three"


async def test_chat_begins_with_the_role(client: httpx.AsyncClient) -> None:
    first, *middle, last = await stream_chat(client, max_tokens=3)
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
    assert [chunk["choices"][0]["delta"] for chunk in middle] == [
        {"content": "?"},
        {"content": "@"},
    ]
    assert last["choices"][0] == {
        "index": 0,
        "delta": {"content": "A"},
        "logprobs": None,
        "finish_reason": "length",
        "stop_reason": None,
    }


async def test_chats_log_probabilities_come_with_their_tokens(client: httpx.AsyncClient) -> None:
    fields = {"max_tokens": 5, "logprobs": True, "top_logprobs": 2, "stop": ["Bx"]}
    chunks = await stream_chat(client, **fields)
    body = {"model": "letters", "temperature": 0, "messages": HELLO, **fields}
    at_once = (await client.post("/chat/completions", json=body)).json()["choices"][0]["logprobs"]
    streamed = [c["choices"][0]["logprobs"] for c in chunks if c["choices"][0]["logprobs"]]
    assert [entry for one in streamed for entry in one["content"]] == at_once["content"]


async def test_a_chat_without_any_text_ends_too() -> None:
    async with says("").client() as client:
        first, last = await stream_chat(client)
    assert first["choices"][0]["delta"]["role"] == "assistant"
    assert (last["choices"][0]["delta"], last["choices"][0]["finish_reason"]) == ({}, "stop")


async def test_what_is_wrong_with_a_request_has_a_status_of_its_own(
    client: httpx.AsyncClient,
) -> None:
    body = {**BODY, "prompt": "a" * 600, "stream": True}
    answer = await client.post("/completions", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "context_length_exceeded"


async def test_a_full_queue_is_told_before_a_stream_begins() -> None:
    engine = FakeEngine(step_seconds=0.05)
    batcher = batcher_of(engine, waiting=1)
    async with letters(engine, batcher).client() as client:
        answers = [
            await client.post("/completions", json={**BODY, "prompt": ["a"] * 9, "stream": True})
        ]
    batcher.close()
    assert [answer.status_code for answer in answers] == [429]
