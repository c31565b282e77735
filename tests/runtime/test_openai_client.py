"""The real openai client, and what LangChain and LiteLLM make of it, unchanged."""

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from proctor_runtime.engine.batcher import Batcher
from proctor_runtime.engine.fake import FakeEngine
from proctor_runtime.openai.reasoning_parsers import REASONING_PARSERS
from proctor_runtime.openai.tool_parsers import TOOL_PARSERS
from tests.runtime.letters import letters, says
from tests.runtime.live import live

HELLO: Any = [{"role": "user", "content": "hi"}]
TOOLS: Any = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
]
CALLS = (
    "<think>two cities</think>Let me see.\n"
    '<tool_call>\n{"name": "weather", "arguments": {"city": "Paris"}}\n</tool_call>\n'
    '<tool_call>\n{"name": "weather", "arguments": {"city": "Zürich"}}\n</tool_call>'
)


@pytest.fixture
def client(engine: FakeEngine, batcher: Batcher) -> Iterator[openai.OpenAI]:
    with live(letters(engine, batcher)) as url, openai.OpenAI(base_url=url, api_key="-") as client:
        yield client


@pytest.fixture
def calling() -> Iterator[openai.OpenAI]:
    server = says(
        CALLS, tool_parser=TOOL_PARSERS["hermes"], reasoning_parser=REASONING_PARSERS["think"]
    )
    with live(server) as url, openai.OpenAI(base_url=url, api_key="-") as client:
        yield client


def test_completions(client: openai.OpenAI) -> None:
    made = client.completions.create(
        model="letters", prompt=["abc", "x"], max_tokens=3, temperature=0, logprobs=2, echo=True
    )
    assert [choice.text for choice in made.choices] == ["abcdef", "xyz{"]
    assert made.choices[0].logprobs is not None
    assert made.usage is not None
    assert made.usage.completion_tokens == 6


def test_a_stream_of_completions(client: openai.OpenAI) -> None:
    chunks = client.completions.create(
        model="letters", prompt="abc", max_tokens=3, temperature=0, stream=True
    )
    assert "".join(chunk.choices[0].text for chunk in chunks) == "def"


def test_chat(client: openai.OpenAI) -> None:
    made = client.chat.completions.create(
        model="letters", messages=HELLO, max_completion_tokens=2, temperature=0, logprobs=True
    )
    assert made.choices[0].message.content == "?@"
    assert made.choices[0].logprobs is not None


async def test_many_asynchronous_streams(engine: FakeEngine, batcher: Batcher) -> None:
    async def ask(client: openai.AsyncOpenAI, count: int) -> str:
        stream = await client.chat.completions.create(
            model="letters", messages=HELLO, max_tokens=count, temperature=0, stream=True
        )
        return "".join([c.choices[0].delta.content or "" async for c in stream])

    with live(letters(engine, batcher)) as url:
        async with openai.AsyncOpenAI(base_url=url, api_key="-") as client:
            import asyncio

            texts = await asyncio.gather(*[ask(client, count) for count in range(1, 33)])
    assert [len(text) for text in texts] == list(range(1, 33))
    assert all(texts[-1].startswith(text) for text in texts)


def test_the_clients_own_accumulation_of_a_stream(calling: openai.OpenAI) -> None:
    with calling.chat.completions.stream(model="letters", messages=HELLO, tools=TOOLS) as stream:
        for _ in stream:
            pass
        message = stream.get_final_completion().choices[0].message
    assert message.content == "Let me see."
    assert message.tool_calls is not None
    cities = [json.loads(call.function.arguments)["city"] for call in message.tool_calls]
    assert cities == ["Paris", "Zürich"]


def test_langchain_style_streaming(calling: openai.OpenAI) -> None:
    """ChatOpenAI asks so, and merges what it gets by index: the first part has id and name."""
    chunks = calling.chat.completions.create(
        model="letters",
        messages=HELLO,
        tools=TOOLS,
        parallel_tool_calls=True,
        stream=True,
        stream_options={"include_usage": True},
        n=1,
        temperature=0.7,
    )
    calls: dict[int, dict[str, str]] = {}
    usage = None
    for chunk in chunks:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            for part in choice.delta.tool_calls or []:
                assert part.function is not None
                call = calls.setdefault(
                    part.index, {"id": part.id or "", "name": part.function.name or "", "text": ""}
                )
                call["text"] += part.function.arguments or ""
    assert all(call["id"].startswith("call_") for call in calls.values())
    assert [call["name"] for call in calls.values()] == ["weather", "weather"]
    assert [json.loads(call["text"])["city"] for call in calls.values()] == ["Paris", "Zürich"]
    assert usage is not None
    assert usage.completion_tokens == len(CALLS) + 1


def test_litellm_style_tool_calls(calling: openai.OpenAI) -> None:
    """LiteLLM reads the extra fields too, and sends the whole message back."""
    first = calling.chat.completions.create(model="letters", messages=HELLO, tools=TOOLS)
    choice = first.choices[0]
    assert choice.finish_reason == "tool_calls"
    assert (choice.message.model_extra or {})["reasoning_content"] == "two cities"
    back = choice.message.model_dump()
    answers = [
        {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
        for call in choice.message.tool_calls or []
    ]
    again = calling.chat.completions.create(
        model="letters", messages=[*HELLO, back, *answers], tools=TOOLS, tool_choice="auto"
    )
    assert again.usage is not None
    assert first.usage is not None
    assert again.usage.prompt_tokens > first.usage.prompt_tokens


def test_errors_are_the_clients_own(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        client.completions.create(model="gpt-9", prompt="a")
    assert (missing.value.code, missing.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.BadRequestError, match="512 tokens, but the request needs 601"):
        client.completions.create(model="letters", prompt="a" * 599, max_tokens=1)


def test_models(client: openai.OpenAI) -> None:
    (model,) = client.models.list().data
    assert client.models.retrieve(model.id) == model
