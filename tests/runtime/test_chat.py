"""Conversations: the prompt, tool calls, reasoning, and how they are refused."""

import json
from typing import Any

import httpx
import pytest

from proctor_runtime.openai.reasoning_parsers import REASONING_PARSERS
from proctor_runtime.openai.tool_parsers import TOOL_PARSERS
from tests.runtime.letters import Letters, asked_of, says
from tests.runtime.sse import assert_chat

HELLO = [{"role": "user", "content": "hi"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tell the weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
CALL = '<tool_call>\n{"name": "weather", "arguments": {"city": "Paris"}}\n</tool_call>'


async def chat(server: Letters, **fields: Any) -> dict[str, Any]:
    body = {"model": "letters", "messages": HELLO, "max_tokens": 200, **fields}
    async with server.client() as client:
        answer = await client.post("/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    parsed: dict[str, Any] = answer.json()
    assert_chat(parsed)
    choice: dict[str, Any] = parsed["choices"][0]
    return choice


async def refused(server: Letters, **fields: Any) -> str:
    async with server.client() as client:
        body = {"model": "letters", "messages": HELLO, **fields}
        answer = await client.post("/chat/completions", json=body)
    assert answer.status_code == 400, answer.text
    message: str = answer.json()["error"]["message"]
    return message


def prompt_of(server: Letters) -> str:
    return "".join(map(chr, asked_of(server)[0].prompt))


def hermes(text: str) -> Letters:
    return says(text, tool_parser=TOOL_PARSERS["hermes"])


async def test_a_tool_call_is_read() -> None:
    server = hermes(f"One moment.\n{CALL}")
    choice = await chat(server, tools=[WEATHER])
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] == "One moment."
    (call,) = choice["message"]["tool_calls"]
    assert (call["type"], call["function"]["name"]) == ("function", "weather")
    assert json.loads(call["function"]["arguments"]) == {"city": "Paris"}
    assert prompt_of(server).startswith("[weather]<user>hi")


async def test_no_tools_no_calls() -> None:
    assert (await chat(hermes(CALL)))["message"]["content"] == CALL
    server = hermes(CALL)
    assert (await chat(server, tools=[WEATHER], tool_choice="none"))["finish_reason"] == "stop"
    assert prompt_of(server) == "<user>hi<assistant>"


@pytest.mark.parametrize(
    ("choice", "said", "begins"),
    [
        (
            {"type": "function", "function": {"name": "weather"}},
            '{"city": "Rome"}}\n</tool_call>',
            '<tool_call>\n{"name": "weather", "arguments": ',
        ),
        (
            "required",
            'weather", "arguments": {"city": "Rome"}}</tool_call>',
            '<tool_call>\n{"name": "',
        ),
    ],
    ids=["named", "required"],
)
async def test_a_call_is_forced_by_beginning_it(choice: Any, said: str, begins: str) -> None:
    server = hermes(said)
    answered = await chat(server, tools=[WEATHER], tool_choice=choice)
    assert prompt_of(server).endswith(f"<assistant>{begins}")
    (call,) = answered["message"]["tool_calls"]
    assert call["function"] == {"name": "weather", "arguments": '{"city": "Rome"}'}
    assert answered["finish_reason"] == "tool_calls"


async def test_a_call_cut_off_ends_for_its_length() -> None:
    text = CALL[:50]
    server = says(text, "length", tool_parser=TOOL_PARSERS["hermes"])
    choice = await chat(server, tools=[WEATHER])
    assert choice["finish_reason"] == "length"
    assert choice["message"]["tool_calls"][0]["function"]["name"] == "weather"


async def test_reasoning_is_told_from_the_answer() -> None:
    server = says("<think>\nhm\n</think>\nYes.", reasoning_parser=REASONING_PARSERS["think"])
    message = (await chat(server))["message"]
    assert (message["reasoning_content"], message["content"]) == ("hm", "Yes.")


async def test_only_reasoning_has_no_content() -> None:
    server = says("<think>hm, hm", "length", reasoning_parser=REASONING_PARSERS["think"])
    message = (await chat(server))["message"]
    assert (message["reasoning_content"], message["content"]) == ("hm, hm", None)


async def test_what_tools_answered_reaches_the_template() -> None:
    messages = [
        {"role": "user", "content": "hi"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "weather", "arguments": '{"city": "Paris"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
    ]
    server = hermes("Sunny.")
    await chat(server, messages=messages, tools=[WEATHER])
    assert prompt_of(server).endswith("<tool>sunny<assistant>")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tools": [WEATHER]}, "start it with --tool-call-parser (hermes, llama3_json)"),
        ({"tool_choice": "required"}, "tool_choice is only allowed with tools"),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools.0.type"),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, "response_format"),
        ({"functions": [{"name": "f"}]}, "functions=[{'name': 'f'}] is not supported: use tools"),
        ({"top_logprobs": 2}, "top_logprobs=2 needs logprobs=true"),
        ({"chat_template": "{{ x }}"}, "the deployment's own template is used"),
        ({"chat_template_kwargs": {"tokenize": True}}, "must not have tokenize"),
        ({"chat_template_kwargs": {"self": 1}}, "must not have self"),
        ({"documents": [{"text": "a"}]}, "is not supported: write them into the messages"),
        ({"echo": True}, "echo=True is not supported: /v1/completions has it"),
        ({"return_token_ids": True}, "return_token_ids=True is not supported"),
        ({"stop": ["a" * 257]}, "at most 256 characters"),
        (
            {"continue_final_message": True, "add_generation_prompt": True},
            "exclude each other",
        ),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "image_url"),
        ({"max_tokens": 5000}, "4096 tokens"),
        ({"messages": []}, "messages"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_what_is_refused(fields: dict[str, Any], message: str) -> None:
    assert message in await refused(says("x"), **fields)


async def test_a_function_that_is_not_there_cannot_be_chosen() -> None:
    choice = {"type": "function", "function": {"name": "stocks"}}
    said = await refused(hermes(""), tools=[WEATHER], tool_choice=choice)
    assert "'stocks', which is not among tools: ['weather']" in said


async def test_without_a_limit_there_is_room_for_the_rest() -> None:
    server = says("x")
    async with server.client() as client:
        await client.post("/chat/completions", json={"model": "letters", "messages": HELLO})
    assert asked_of(server)[0].max_new_tokens == 4096 - len("<user>hi<assistant>")


async def test_the_newer_limit_wins() -> None:
    server = says("x")
    await chat(server, max_tokens=7, max_completion_tokens=5)
    assert asked_of(server)[0].max_new_tokens == 5


async def test_the_template_gets_what_is_meant_for_it(client: httpx.AsyncClient) -> None:
    body = {"messages": HELLO, "add_generation_prompt": False, "return_token_strs": True}
    answer = (await client.post("http://runtime/tokenize", json=body)).json()
    assert "".join(answer["token_strs"]) == "<user>hi"
