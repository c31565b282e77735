"""An assistant's message out of the text that a model wrote: reasoning, content, tool calls.

The message of a text so far only ever grows into the message of a longer one, so a stream is the
difference of two, and a stream's end is what is answered without one.
"""

import uuid
from dataclasses import dataclass
from typing import Any

from proctor_runtime.openai.reasoning_parsers import ReasoningParser
from proctor_runtime.openai.tool_parsers import ToolParser
from proctor_runtime.openai.tool_parsers.call import Call, Scan


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRules:
    """How to read one request's answers."""

    tools: ToolParser | None = None
    """None where no tool may be called."""
    several_calls: bool = True
    forced: str = ""
    """How the call begins that was put into the model's mouth."""
    reasoning: ReasoningParser | None = None
    inside_reasoning: bool = False

    @property
    def are_trivial(self) -> bool:
        """Whether all text is content."""
        return self.tools is None and self.reasoning is None


@dataclass(frozen=True, slots=True)
class Message:
    """What the assistant says."""

    content: str = ""
    reasoning: str = ""
    calls: tuple[Call, ...] = ()


def read_message(text: str, rules: MessageRules, *, final: bool) -> Message:
    """Read what was written so far."""
    reasoning = ""
    if rules.reasoning is not None and not rules.forced:
        inside = rules.inside_reasoning
        reasoning, text = rules.reasoning.split(text, final=final, inside=inside)
    if rules.tools is None:
        return Message(text, reasoning)
    scan: Scan = rules.tools.scan(rules.forced + text, final=final)
    calls = scan.calls if rules.several_calls else scan.calls[:1]
    return Message(scan.content, reasoning, calls)


def written(message: Message) -> dict[str, Any]:
    """Return a whole message as the API writes it."""
    fields: dict[str, Any] = {
        "role": "assistant",
        "content": message.content or (None if message.calls or message.reasoning else ""),
        "refusal": None,
    }
    if message.reasoning:
        fields["reasoning_content"] = message.reasoning
    if message.calls:
        fields["tool_calls"] = [
            {"id": new_call_id(), "type": "function", "function": function_of(call)}
            for call in message.calls
        ]
    return fields


def difference(before: Message, after: Message) -> dict[str, Any]:
    """Return what a stream says between the two; empty if nothing."""
    fields: dict[str, Any] = {}
    if content := after.content[len(before.content) :]:
        fields["content"] = content
    if reasoning := after.reasoning[len(before.reasoning) :]:
        fields["reasoning_content"] = reasoning
    if calls := call_differences(before.calls, after.calls):
        fields["tool_calls"] = calls
    return fields


def call_differences(before: tuple[Call, ...], after: tuple[Call, ...]) -> list[dict[str, Any]]:
    """Return the calls that began, with their names, and those whose arguments grew."""
    grown: list[dict[str, Any]] = []
    for index, call in enumerate(after):
        if index >= len(before):
            function = function_of(call)
            grown.append(
                {"index": index, "id": new_call_id(), "type": "function", "function": function}
            )
        elif more := call.arguments[len(before[index].arguments) :]:
            grown.append({"index": index, "function": {"arguments": more}})
    return grown


def function_of(call: Call) -> dict[str, str]:
    """Return a call's function as the API writes it."""
    return {"name": call.name, "arguments": call.arguments}


def new_call_id() -> str:
    """Return an id for a tool's answer to refer to."""
    return f"call_{uuid.uuid4().hex[:24]}"
