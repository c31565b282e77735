"""``<tool_call>{"name": ..., "arguments": {...}}</tool_call>``, as Hermes and Qwen write it.

The format is the one of NousResearch's Hermes function calling and of Qwen's chat templates.
"""

import json

from proctor_runtime.openai.partial_json import read_object
from proctor_runtime.openai.text import overlap
from proctor_runtime.openai.tool_parsers.call import Call, Scan, read_call

OPEN = "<tool_call>"
CLOSE = "</tool_call>"


def opening(function: str | None) -> str:
    """Return how a call begins, of `function` or of any."""
    if function is None:
        return f'{OPEN}\n{{"name": "'
    return f'{OPEN}\n{{"name": {json.dumps(function, ensure_ascii=False)}, "arguments": '


def scan(text: str, *, final: bool) -> Scan:
    """Return the content and the calls in what was written so far."""
    content: list[str] = []
    calls: list[Call] = []
    at = 0
    while (start := text.find(OPEN, at)) >= 0:
        content.append(text[at:start])
        at, call = read_tagged(text, start, final=final)
        if call is not None:
            calls.append(call)
        elif at < len(text) or final:
            content.append(text[start:at])
    rest = text[at:]
    content.append(rest if final else rest[: len(rest) - overlap(rest, OPEN)])
    return Scan(settled("".join(content), final=final and not calls), tuple(calls))


def read_tagged(text: str, start: int, *, final: bool) -> tuple[int, Call | None]:
    """Return where the tag that begins at `start` ends, and the call in it, if it is one."""
    body = start + len(OPEN)
    close = text.find(CLOSE, body)
    end = len(text) if close < 0 else close + len(CLOSE)
    inner = text[body:close] if close >= 0 else text[body : len(text) - overlap(text, CLOSE)]
    written = read_object(inner.lstrip())
    if written is None:
        return end, None
    return end, read_call(written, final=final or close >= 0, bare=True)


def settled(content: str, *, final: bool) -> str:
    """Return the content without the blanks at its end, which a call to come would swallow."""
    return content if final else content.rstrip()
