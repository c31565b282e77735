"""Every field reaches the engine, or is refused, or is known to say nothing."""

import typing
from typing import Any

import pytest
from openai.types.chat.completion_create_params import CompletionCreateParamsBase as ChatParams
from openai.types.completion_create_params import CompletionCreateParamsBase as CompletionParams
from pydantic import BaseModel

from proctor_runtime.engine.protocol import Sampling
from proctor_runtime.openai.schema.chat import ChatCompletionRequest
from proctor_runtime.openai.schema.completion import CompletionRequest
from proctor_runtime.openai.schema.refused import HARMLESS
from tests.runtime.characters import EOS
from tests.runtime.letters import Letters, asked_of, says

IGNORED = frozenset({
    "metadata",
    "prediction",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "store",
    "user",
    "verbosity",
})  # fmt: skip
"""Fields of OpenAI's own that say nothing about the answer's content."""

BODY = {"model": "letters", "prompt": "ab", "add_special_tokens": False}


async def asked(**fields: Any) -> Letters:
    server = says("xyz")
    async with server.client() as client:
        answer = await client.post("/completions", json={**BODY, **fields})
    assert answer.status_code == 200, answer.text
    return server


@pytest.mark.parametrize(
    ("fields", "sampling"),
    [
        ({}, Sampling(temperature=1.0)),
        ({"temperature": 0.5, "top_p": 0.9, "top_k": 5}, (0.5, 0.9, 5)),
        ({"top_p": 0, "temperature": 0}, Sampling(temperature=0.0, top_k=1)),
        ({"min_p": 0.1}, Sampling(temperature=1.0, min_p=0.1)),
        ({"presence_penalty": 1, "frequency_penalty": -1}, (1, -1)),
        ({"repetition_penalty": 1.2}, Sampling(temperature=1.0, repetition_penalty=1.2)),
        ({"logit_bias": {"7": 3}}, Sampling(temperature=1.0, logit_bias=((7, 3.0),))),
        ({"seed": -1}, Sampling(temperature=1.0, seed=2**63 - 1)),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_sampling(fields: dict[str, Any], sampling: Any) -> None:
    made = asked_of(await asked(**fields))[0].sampling
    if not isinstance(sampling, Sampling):
        assert all(getattr(made, name) == value for name, value in fields.items())
    else:
        assert made == sampling


async def test_how_it_ends() -> None:
    (request,) = asked_of(await asked(stop=["x", ""], stop_token_ids=[5, EOS], min_tokens=2))
    assert request.stop_texts == ("x",)
    assert request.stop_ids == (EOS, 5)
    assert request.min_new_tokens == 2
    (request,) = asked_of(await asked(ignore_eos=True))
    assert request.stop_ids == ()


async def test_copies_of_a_seeded_request_differ() -> None:
    requests = asked_of(await asked(n=3, seed=4))
    assert [request.sampling.seed for request in requests] == [4, 5, 6]


async def test_the_best_are_the_likeliest() -> None:
    server = says("xyz")
    async with server.client() as client:
        answer = (await client.post("/completions", json={**BODY, "best_of": 5, "n": 2})).json()
    assert len(asked_of(server)) == 5
    assert [choice["index"] for choice in answer["choices"]] == [0, 1]
    # The end of the text is a token too.
    assert answer["usage"]["completion_tokens"] == 5 * 4


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(CompletionRequest, CompletionParams), (ChatCompletionRequest, ChatParams)],
    ids=["completions", "chat"],
)
def test_no_field_of_openais_is_unknown(ours: type[BaseModel], theirs: Any) -> None:
    fields = set(typing.get_type_hints(theirs)) | {"stream"}
    assert fields - set(ours.model_fields) - set(HARMLESS) - IGNORED == set()
