"""The OpenAI API in front of the fake engine, which continues every character with the next one."""

import asyncio
import json
import warnings
from typing import Any

import httpx
import pytest

from proctor_runtime.engine.batcher import Batcher
from proctor_runtime.engine.fake import FakeEngine
from tests.runtime.letters import LONGEST
from tests.runtime.sse import assert_chat, assert_completion, assert_model


async def complete(client: httpx.AsyncClient, prompt: Any, **fields: Any) -> dict[str, Any]:
    body = {"model": "letters", "prompt": prompt, "temperature": 0, "add_special_tokens": False}
    answer = await client.post("/completions", json={**body, **fields})
    assert answer.status_code == 200, answer.text
    parsed: dict[str, Any] = answer.json()
    assert_completion(parsed)
    return parsed


async def refused(client: httpx.AsyncClient, path: str, body: Any) -> tuple[int, str]:
    answer = await client.post(path, json=body)
    return answer.status_code, answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("prompt", "texts"),
    [
        ("abc", ["def"]),
        (["abc", "x"], ["def", "yz{"]),
        ([97, 98], ["cde"]),
        ([[97, 98], [120]], ["cde", "yz{"]),
    ],
    ids=["text", "texts", "ids", "lists of ids"],
)
async def test_prompts_in_four_forms(
    client: httpx.AsyncClient, prompt: Any, texts: list[str]
) -> None:
    answer = await complete(client, prompt, max_tokens=3)
    assert [choice["text"] for choice in answer["choices"]] == texts
    assert [choice["index"] for choice in answer["choices"]] == list(range(len(texts)))
    assert {choice["finish_reason"] for choice in answer["choices"]} == {"length"}


async def test_usage_counts_tokens(client: httpx.AsyncClient) -> None:
    answer = await complete(client, ["abc", "x"], max_tokens=3, n=2)
    assert answer["usage"] == {"prompt_tokens": 4, "completion_tokens": 12, "total_tokens": 16}
    assert len(answer["choices"]) == 4


async def test_bos_is_added_to_texts_unless_refused(client: httpx.AsyncClient) -> None:
    answer = await complete(client, "abc", max_tokens=0, echo=True, add_special_tokens=True)
    assert answer["usage"]["prompt_tokens"] == 4


@pytest.mark.parametrize(
    ("stop", "text", "finish"),
    [("e", "d", "stop"), (["zz", "fg"], "de", "stop"), (None, "defgh", "length")],
    ids=["one", "several", "none"],
)
async def test_stop_texts_are_cut_off(
    client: httpx.AsyncClient, stop: Any, text: str, finish: str
) -> None:
    choice = (await complete(client, "abc", max_tokens=5, stop=stop))["choices"][0]
    assert (choice["text"], choice["finish_reason"]) == (text, finish)


async def test_the_end_of_sequence_stops_unasked(client: httpx.AsyncClient) -> None:
    choice = (await complete(client, [[253, 254]], max_tokens=9))["choices"][0]
    assert (choice["text"], choice["finish_reason"]) == (chr(255), "stop")


async def test_echo_scores_every_token_but_the_first(client: httpx.AsyncClient) -> None:
    answer = await complete(client, "abx", max_tokens=1, echo=True, logprobs=2)
    assert answer["choices"][0]["text"] == "abxy"
    assert answer["choices"][0]["logprobs"] == {
        "tokens": ["a", "b", "x", "y"],
        "token_logprobs": [None, -0.25, -21.25, -0.25],
        "top_logprobs": [
            None,
            {"b": -0.25, "c": -1.25},
            {"c": -0.25, "d": -1.25, "x": -21.25},
            {"y": -0.25, "z": -1.25},
        ],
        "text_offset": [0, 1, 2, 3],
    }


async def test_echo_without_new_tokens(client: httpx.AsyncClient) -> None:
    choice = (await complete(client, "ab", max_tokens=0, echo=True, logprobs=1))["choices"][0]
    assert choice["text"] == "ab"
    assert choice["logprobs"]["token_logprobs"] == [None, -0.25]


async def test_logprobs_without_echo_are_of_the_new_tokens(client: httpx.AsyncClient) -> None:
    choice = (await complete(client, "ab", max_tokens=2, logprobs=1))["choices"][0]
    assert choice["logprobs"]["tokens"] == ["c", "d"]
    assert choice["logprobs"]["top_logprobs"] == [{"c": -0.25}, {"d": -0.25}]


async def test_stock_lm_eval_reads_scores_right_whatever_shares_the_batch(
    client: httpx.AsyncClient,
) -> None:
    """The two defects that NeMo's server has: padding in the sum, and greedy flags shifted."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from lm_eval.models.openai_completions import LocalCompletionsAPI

    greedy = [ord(c) for c in "abcdefghijkl"]
    wrong = [ord(c) for c in "abx"]
    fields = {"max_tokens": 1, "echo": True, "logprobs": 1, "seed": 1234}
    together = await complete(client, [wrong, greedy], **fields)
    alone = [await complete(client, [prompt], **fields) for prompt in (wrong, greedy)]

    read = LocalCompletionsAPI.parse_logprobs
    scores = read(outputs=together, tokens=[wrong, greedy], ctxlens=[1, 1])
    assert scores == [(-0.25 - 21.25, False), (-0.25 * 11, True)]
    assert scores == [
        read(outputs=answer, tokens=[prompt], ctxlens=[1])[0]
        for answer, prompt in zip(alone, (wrong, greedy), strict=True)
    ]


async def test_a_seed_repeats_samples(client: httpx.AsyncClient) -> None:
    async def sample(seed: int) -> str:
        answer = await complete(client, "a", max_tokens=20, temperature=1, seed=seed)
        text: str = answer["choices"][0]["text"]
        return text

    first, again, other = await asyncio.gather(sample(1), sample(1), sample(2))
    assert first == again != other


async def test_chat_uses_the_template(client: httpx.AsyncClient) -> None:
    body = {
        "model": "letters",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
        "max_tokens": 2,
        "temperature": 0,
        "logprobs": True,
        "top_logprobs": 1,
    }
    answer = (await client.post("/chat/completions", json=body)).json()
    choice = answer["choices"][0]
    assert answer["object"] == "chat.completion"
    assert_chat(answer)
    assert choice["message"] == {"role": "assistant", "content": "?@", "refusal": None}
    assert choice["logprobs"]["content"][0] == {
        "token": "?",
        "logprob": -0.25,
        "bytes": [63],
        "top_logprobs": [{"token": "?", "logprob": -0.25, "bytes": [63]}],
    }
    assert answer["usage"]["prompt_tokens"] == len("<user>hi<assistant>")


@pytest.mark.parametrize("stream", [True, False], ids=["streams", "at once"])
async def test_more_log_probabilities_than_memory_has_room_for(
    client: httpx.AsyncClient, stream: bool
) -> None:
    many = {"model": "letters", "n": 120, "max_tokens": 400, "stream": stream}
    texts = {**many, "prompt": "abc", "logprobs": 100, "echo": True, "add_special_tokens": False}
    chat = {**many, "messages": [{"role": "user", "content": "hi"}], "logprobs": True}
    for path, body, count in (
        ("/completions", texts, 120 * 403 * 101),
        ("/chat/completions", {**chat, "top_logprobs": 100}, 120 * 400 * 101),
    ):
        status, said = await refused(client, path, body)
        assert status == 400
        assert f"{count} log-probabilities" in said


async def test_a_conversation_that_the_template_refuses(client: httpx.AsyncClient) -> None:
    body = {"model": "letters", "messages": [{"role": "robot", "content": "hi"}]}
    assert (await refused(client, "/chat/completions", body))[0] == 400


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"best_of": 1, "n": 2}, "best_of=1 must be at least n=2"),
        ({"best_of": 3, "stream": True}, "best_of=3 cannot be streamed"),
        ({"stream_options": {"include_usage": True}}, "only allowed with stream=true"),
        ({"logit_bias": {"the": 1}}, "logit_bias has 'the': it must be a token id"),
        ({"logit_bias": {"300": 1}}, "token id 300 is out of range"),
        ({"frequency_penalty": 2.5}, "frequency_penalty"),
        ({"min_tokens": 20, "max_tokens": 5}, "min_tokens=20 is more than the 5 tokens"),
        ({"suffix": "end"}, "suffix='end' is not supported: the models served here only"),
        ({"response_format": {"type": "json_object"}}, "no grammar constrains the output"),
        ({"guided_json": {}}, "guided_json"),
        ({"temperature": -1}, "temperature"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"prompt": {"a": 1}}, "prompt"),
        ({"prompt": []}, "no prompt"),
        ({"prompt": ""}, "empty"),
        ({"prompt": [[5000]]}, "token id 5000 is out of range: the vocabulary has 256"),
        ({"prompt": "a" * 510, "max_tokens": 20}, "512 tokens, but the request needs 530"),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_what_cannot_be_served_is_refused(
    client: httpx.AsyncClient, fields: dict[str, Any], message: str
) -> None:
    body = {"model": "letters", "prompt": "abc", "add_special_tokens": False, **fields}
    status, said = await refused(client, "/completions", body)
    assert status == 400
    assert message in said


@pytest.mark.parametrize(
    "fields",
    [
        {"stream": False},
        {"best_of": 1},
        {"presence_penalty": 0},
        {"user": "me"},
        {"top_k": -1},
        {"suffix": None, "seed": None, "n": None, "stop": None, "logit_bias": None},
        {"response_format": {"type": "text"}},
        {"unheard_of": 1},
    ],
    ids=str,
)
async def test_fields_that_ask_for_nothing_are_accepted(
    client: httpx.AsyncClient, fields: dict[str, Any]
) -> None:
    assert (await complete(client, "abc", max_tokens=1, **fields))["choices"][0]["text"] == "d"


async def test_errors_have_the_shape_of_openais(client: httpx.AsyncClient) -> None:
    answer = await client.post("/completions", json={"model": "gpt-9", "prompt": "a"})
    assert answer.status_code == 404
    assert answer.json()["error"] == {
        "message": "the model 'gpt-9' does not exist; served here: 'letters'",
        "type": "invalid_request_error",
        "param": "model",
        "code": "model_not_found",
    }
    assert (await client.get("/nothing")).json()["error"]["message"].startswith("Not Found")
    broken = await client.post("/completions", content=b"{")
    assert (broken.status_code, "error" in broken.json()) == (400, True)


async def test_the_remote_tokenizer_of_lm_eval(client: httpx.AsyncClient) -> None:
    info = (await client.get("http://runtime/tokenizer_info")).json()
    assert info == {
        "eos_token": "\0",
        "eos_token_ids": [0],
        "bos_token": "^",
        "chat_template": "invented",
        "model_max_length": LONGEST,
    }
    body = {"prompt": "ab", "add_special_tokens": False}
    assert (await client.post("http://runtime/tokenize", json=body)).json()["tokens"] == [97, 98]
    assert (await client.post("http://runtime/detokenize", json={"tokens": [97]})).json() == {
        "prompt": "a"
    }


async def test_health_models_and_engine(client: httpx.AsyncClient) -> None:
    assert (await client.get("/health")).status_code == 200
    assert (await client.get("/health/ready")).status_code == 200
    models = (await client.get("/models")).json()
    assert [model["id"] for model in models["data"]] == ["letters"]
    assert_model(models["data"][0])
    assert (await client.get("/models/letters")).json() == models["data"][0]
    assert (await client.get("/models/org/other")).status_code == 404
    described = (await client.get("/engine")).json()
    assert described["checkpointDigest"] == "sha256:abc"


async def test_readiness_asks_the_model_once_in_a_while(
    client: httpx.AsyncClient, engine: FakeEngine
) -> None:
    await asyncio.gather(*[client.get("/health/ready") for _ in range(20)])
    assert engine.batch_sizes == [1]


async def test_an_engine_that_fails_is_not_ready_and_says_so(
    client: httpx.AsyncClient, batcher: Batcher
) -> None:
    batcher.close()
    assert (await client.get("/health/ready")).status_code == 503
    body = {"model": "letters", "prompt": "a"}
    assert await refused(client, "/completions", body) == (503, "the engine is shutting down")


async def test_answers_are_json_that_any_parser_takes(client: httpx.AsyncClient) -> None:
    answer = await complete(client, "abc", max_tokens=2, logprobs=1)
    assert json.loads(json.dumps(answer, allow_nan=False)) == answer
