"""Reading messages: every format, whole and as a stream."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor_runtime.openai.message import (
    Message,
    MessageRules,
    difference,
    read_message,
    written,
)
from proctor_runtime.openai.reasoning_parsers import REASONING_PARSERS
from proctor_runtime.openai.tool_parsers import TOOL_PARSERS
from proctor_runtime.openai.tool_parsers.call import Call

HERMES = MessageRules(tools=TOOL_PARSERS["hermes"])
LLAMA = MessageRules(tools=TOOL_PARSERS["llama3_json"])
THINK = MessageRules(reasoning=REASONING_PARSERS["think"])
INSIDE = MessageRules(reasoning=REASONING_PARSERS["think"], inside_reasoning=True)
BOTH = MessageRules(tools=TOOL_PARSERS["hermes"], reasoning=REASONING_PARSERS["think"])

PARIS = Call("weather", '{"city": "Paris", "days": 2}')
ROME = Call("weather", '{"city": "Rome}"}')
CALL_PARIS = '{"name": "weather", "arguments": {"city": "Paris", "days": 2}}'
CALL_ROME = '{"arguments": {"city": "Rome}"}, "name": "weather"}'
LLAMA_PARIS = CALL_PARIS.replace("arguments", "parameters")

CASES: dict[str, tuple[MessageRules, str, Message]] = {
    "hermes: content": (HERMES, " plain <b> text\n", Message(" plain <b> text\n")),
    "hermes: one": (HERMES, f"<tool_call>\n{CALL_PARIS}\n</tool_call>", Message(calls=(PARIS,))),
    "hermes: two": (
        HERMES,
        f"Let me see.\n<tool_call>{CALL_PARIS}</tool_call>\n<tool_call>{CALL_ROME}</tool_call>\n",
        Message("Let me see.", calls=(PARIS, ROME)),
    ),
    "hermes: cut off": (
        HERMES,
        '<tool_call>{"name": "weather", "arguments": {"city": "Pa',
        Message(calls=(Call("weather", '{"city": "Pa'),)),
    ),
    "hermes: never closed": (HERMES, f"<tool_call>{CALL_PARIS}", Message(calls=(PARIS,))),
    "hermes: no arguments": (
        HERMES,
        '<tool_call>{"name": "now"}</tool_call>',
        Message(calls=(Call("now", "{}"),)),
    ),
    "hermes: quoted arguments": (
        HERMES,
        '<tool_call>{"name": "f", "arguments": "{\\"x\\": 1}"}</tool_call>',
        Message(calls=(Call("f", '{"x": 1}'),)),
    ),
    "hermes: no call": (
        HERMES,
        "<tool_call>weather in Paris</tool_call> then",
        Message("<tool_call>weather in Paris</tool_call> then"),
    ),
    "hermes: a name of half a character": (
        HERMES,
        r'<tool_call>{"name": "f\ud800", "arguments": {}}</tool_call> then',
        Message(r'<tool_call>{"name": "f\ud800", "arguments": {}}</tool_call> then'),
    ),
    "hermes: quoted arguments of half a character": (
        HERMES,
        r'<tool_call>{"name": "f", "arguments": "\ud800"}</tool_call>',
        Message(calls=(Call("f", r'"\ud800"'),)),
    ),
    "hermes: not yet a tag": (HERMES, "so <tool_ca", Message("so <tool_ca")),
    "llama: content": (LLAMA, "Hello {name}", Message("Hello {name}")),
    "llama: one": (LLAMA, LLAMA_PARIS, Message(calls=(PARIS,))),
    "llama: tagged, two": (
        LLAMA,
        f"<|python_tag|>{LLAMA_PARIS}; {CALL_ROME}",
        Message(calls=(PARIS, ROME)),
    ),
    "llama: JSON that is no call": (
        LLAMA,
        '{"name": "Paris", "people": 2}',
        Message('{"name": "Paris", "people": 2}'),
    ),
    "llama: a name of half a character": (
        LLAMA,
        r'{"name": "\udc00", "parameters": {}}',
        Message(r'{"name": "\udc00", "parameters": {}}'),
    ),
    "llama: call and a word": (LLAMA, f"{LLAMA_PARIS} Done.", Message("Done.", calls=(PARIS,))),
    "llama: cut off": (LLAMA, '{"name": "wea', Message('{"name": "wea')),
    "think: both": (THINK, "<think>\nhm\n</think>\n\nYes.", Message("Yes.", "hm")),
    "think: none": (THINK, "Yes. <think>", Message("Yes. <think>")),
    "think: never ends": (THINK, "<think>hm, hm", Message("", "hm, hm")),
    "think: opened by the prompt": (INSIDE, "hm</think>Yes.", Message("Yes.", "hm")),
    "think: opened twice": (INSIDE, "<think>hm</think>Yes.", Message("Yes.", "hm")),
    "think and call": (
        BOTH,
        f"<think>the <tool_call> tag</think>\n<tool_call>{CALL_PARIS}</tool_call>",
        Message("", "the <tool_call> tag", (PARIS,)),
    ),
}


@pytest.mark.parametrize(("rules", "text", "message"), CASES.values(), ids=CASES.keys())
def test_messages(rules: MessageRules, text: str, message: Message) -> None:
    assert read_message(text, rules, final=True) == message


def put_together(deltas: list[dict[str, Any]]) -> Message:
    """Do what clients do with a stream."""
    content = "".join(delta.get("content", "") for delta in deltas)
    reasoning = "".join(delta.get("reasoning_content", "") for delta in deltas)
    calls: list[dict[str, str]] = []
    for part in (part for delta in deltas for part in delta.get("tool_calls", ())):
        if part["index"] == len(calls):
            assert part["id"].startswith("call_")
            calls.append({"name": part["function"]["name"], "arguments": ""})
        calls[part["index"]]["arguments"] += part["function"]["arguments"]
    return Message(content, reasoning, tuple(Call(**call) for call in calls))


def stream(text: str, rules: MessageRules, cuts: list[int]) -> list[dict[str, Any]]:
    deltas, before = [], Message()
    for end in [*sorted(cuts), len(text)]:
        after = read_message(text[:end], rules, final=False)
        deltas.append(difference(before, after))
        before = after
    return [*deltas, difference(before, read_message(text, rules, final=True))]


@pytest.mark.parametrize(("rules", "text", "message"), CASES.values(), ids=CASES.keys())
def test_a_stream_adds_up_to_the_message(rules: MessageRules, text: str, message: Message) -> None:
    assert put_together(stream(text, rules, list(range(len(text))))) == message


BITS = st.sampled_from([
    *("<tool_call>", "</tool_call>", "<think>", "</think>", "<|python_tag|>", CALL_PARIS),
    *(CALL_ROME, LLAMA_PARIS, "{", "}", '"name"', ": ", ";", " ", "\n", "text", '"'),
])  # fmt: skip


@given(
    st.lists(BITS, max_size=8).map("".join), st.sampled_from([HERMES, LLAMA, THINK, INSIDE, BOTH])
)
def test_whatever_is_written_a_stream_only_grows(text: str, rules: MessageRules) -> None:
    whole = read_message(text, rules, final=True)
    assert put_together(stream(text, rules, list(range(len(text))))) == whole


def test_arguments_stream_as_they_are_written() -> None:
    text = f"<tool_call>{CALL_PARIS}</tool_call>"
    deltas = stream(text, HERMES, list(range(len(text))))
    parts = [part for delta in deltas for part in delta.get("tool_calls", ())]
    assert len(parts) > 10
    assert "name" not in parts[1]["function"]


@pytest.mark.parametrize("parser", ["hermes", "llama3_json"])
def test_a_forced_call_begins_for_the_model(parser: str) -> None:
    tools = TOOL_PARSERS[parser]
    rules = MessageRules(tools=tools, forced=tools.opening('say "hi"'))
    read = read_message('{"x": 1}}', rules, final=True)
    assert read == Message(calls=(Call('say "hi"', '{"x": 1}'),))
    any_function = MessageRules(tools=tools, forced=tools.opening(None))
    read = read_message('f", "arguments": {}}', any_function, final=True)
    assert read == Message(calls=(Call("f", "{}"),))


def test_parallel_calls_can_be_declined() -> None:
    rules = MessageRules(tools=TOOL_PARSERS["hermes"], several_calls=False)
    text = f"<tool_call>{CALL_PARIS}</tool_call><tool_call>{CALL_ROME}</tool_call>"
    assert read_message(text, rules, final=True).calls == (PARIS,)


def test_a_message_of_calls_has_no_content() -> None:
    fields = written(Message(calls=(PARIS,)))
    assert fields["content"] is None
    assert json.loads(fields["tool_calls"][0]["function"]["arguments"])["days"] == 2
    assert written(Message()) == {"role": "assistant", "content": "", "refusal": None}
    assert written(Message("", "hm"))["reasoning_content"] == "hm"
