"""Bodies that no schema makes: all are the client's fault, and it is told so."""

from pathlib import Path

import httpx
import pytest

from proctor_runtime.engine.batcher import Batcher
from proctor_runtime.engine.fake import FakeEngine
from proctor_runtime.tokenizer import HuggingFaceTokenizer
from tests.runtime.conftest import VOCABULARY
from tests.runtime.letters import letters

COMPLETIONS = {
    "half a character": rb'{"model": "letters", "prompt": "\ud800"}',
    "a stop of half a character": rb'{"model": "letters", "prompt": "a", "stop": "\ud800"}',
    "one stop of half a character": (
        rb'{"model": "letters", "prompt": "a", "stop": ["b", "c\udc00"]}'
    ),
    "a penalty next to nothing": (
        b'{"model": "letters", "prompt": "a", "repetition_penalty": 1e-40}'
    ),
    "no UTF-8": b'{"model": "letters", "prompt": "\xff"}',
    "not a number": b'{"model": "letters", "prompt": "a", "temperature": NaN}',
    "infinite": b'{"model": "letters", "prompt": "a", "top_p": 1e999}',
    "a number without end": b'{"model": "letters", "prompt": "a", "seed": ' + b"9" * 5000 + b"}",
    "a deep hole": b'{"model": "letters", "prompt": ' + b"[" * 20_000,
    "nothing": b"",
    "no object": b"[]",
    "a model of half a character": rb'{"model": "\ud800", "prompt": "a"}',
    "a bias of a large number": (
        b'{"model": "letters", "prompt": "a", "logit_bias": {"' + b"9" * 5000 + b'": 1}}'
    ),
    "a negative token": b'{"model": "letters", "prompt": [-1]}',
    "a token like no other": b'{"model": "letters", "prompt": [99999999999999999999]}',
    "more choices than can wait": (
        b'{"model": "letters", "prompt": [' + b"[1]," * 200_000 + b'[1]], "n": 128}'
    ),
    "many choices": b'{"model": "letters", "prompt": "a", "n": 128, "best_of": 129}',
}
CHATS = {
    "half a character": rb'[{"role": "user", "content": "\udc00"}]',
    "a part of no kind": b'[{"role": "user", "content": [{"text": "a"}]}]',
    "calls that are none": b'[{"role": "assistant", "tool_calls": [3]}]',
    "arguments that are none": (
        b'[{"role": "a", "tool_calls": [{"function": {"name": "f", "arguments": "{"}}]}]'
    ),
    "arguments that are a deep hole": (
        b'[{"role": "a", "tool_calls": [{"function": {"name": "f", "arguments": "'
        + b"[" * 1000
        + b'"}}]}]'
    ),
    "no role": b'[{"content": "a"}]',
}


@pytest.fixture
async def client(tokenizer_folder: Path) -> object:
    engine = FakeEngine(vocab_size=VOCABULARY)
    tokenizer = HuggingFaceTokenizer(tokenizer_folder)
    batcher = Batcher(engine, decode=tokenizer.decode)
    batcher.start()
    async with letters(engine, batcher, tokenizer=tokenizer).client() as client:
        client.headers["Content-Type"] = "application/json"
        yield client
    batcher.close()


async def test_a_body_with_nothing_wrong_is_answered(client: httpx.AsyncClient) -> None:
    body = b'{"model": "letters", "prompt": "a", "max_tokens": 1}'
    assert (await client.post("/completions", content=body)).status_code == 200


@pytest.mark.parametrize("body", COMPLETIONS.values(), ids=COMPLETIONS.keys())
@pytest.mark.parametrize("stream", [b"", b', "stream": true'], ids=["at once", "stream"])
async def test_completions(client: httpx.AsyncClient, body: bytes, stream: bytes) -> None:
    answer = await client.post("/completions", content=body[:-1] + stream + body[-1:])
    assert answer.status_code in (400, 404), answer.text
    assert answer.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("messages", CHATS.values(), ids=CHATS.keys())
async def test_chats(client: httpx.AsyncClient, messages: bytes) -> None:
    body = b'{"model": "letters", "messages": ' + messages + b', "max_tokens": 1}'
    answer = await client.post("/chat/completions", content=body)
    assert answer.status_code in (200, 400), answer.text
    assert answer.status_code == 200 or answer.json()["error"]["message"]


@pytest.mark.parametrize("stop", [r'"\ud800"', r'["b", "c\udc00"]'], ids=["a text", "a list"])
@pytest.mark.parametrize(
    ("route", "asked"),
    [("/completions", '"prompt": "a"'), ("/chat/completions", '"messages": [{"role": "user"}]')],
    ids=["completions", "chat"],
)
async def test_a_stop_that_is_no_unicode_is_named(
    client: httpx.AsyncClient, route: str, asked: str, stop: str
) -> None:
    body = f'{{"model": "letters", {asked}, "stop": {stop}}}'
    answer = await client.post(route, content=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, "stop")
    assert "which is no Unicode: leave" in error["message"]


async def test_a_million_mistakes_are_not_all_told(client: httpx.AsyncClient) -> None:
    body = {"model": "letters", "prompt": [-1] * 50_000}
    answer = await client.post("/completions", json=body)
    assert answer.status_code == 400
    assert len(answer.content) < 2000


async def test_a_long_text_is_as_good_as_a_short_one(client: httpx.AsyncClient) -> None:
    body = {"model": "letters", "prompt": "a" * 30_000}
    answer = await client.post("/completions", json=body)
    assert answer.json()["error"]["code"] == "context_length_exceeded"
    assert "30016 (30000 in the prompt and 16 to generate)" in answer.json()["error"]["message"]
