"""``{"name": ..., "parameters": {...}}`` as the whole answer, as Llama 3 writes it.

Several calls are separated by semicolons; ``<|python_tag|>`` may come first. The format is the one
of Meta's prompt format for Llama 3.1 and later.
"""

import json

from proctor_runtime.openai.partial_json import read_object
from proctor_runtime.openai.tool_parsers.call import Call, Scan, read_call

TAG = "<|python_tag|>"
BETWEEN = "; \t\r\n"


def opening(function: str | None) -> str:
    """Return how a call begins, of `function` or of any."""
    if function is None:
        return '{"name": "'
    return f'{{"name": {json.dumps(function, ensure_ascii=False)}, "parameters": '


def scan(text: str, *, final: bool) -> Scan:
    """Return the content and the calls in what was written so far."""
    begun = text.lstrip()
    body = begun.removeprefix(TAG).lstrip()
    if not body.startswith("{"):
        undecided = TAG.startswith(begun) or body == ""
        return Scan(text if final or not undecided else "")
    calls, end, open_ended = read_calls(body, final=final)
    if not calls:
        return Scan("" if open_ended and not final else text)
    rest = body[end:].lstrip(BETWEEN)
    return Scan(rest if final or rest[:1] not in ("", "{") else "", tuple(calls))


def read_calls(body: str, *, final: bool) -> tuple[list[Call], int, bool]:
    """Return the calls, where they end, and whether another may be about to be written."""
    calls: list[Call] = []
    at = end = 0
    while (written := read_object(body, at)) is not None:
        call = read_call(written, final=final or written.end is not None, bare=False)
        if call is not None:
            calls.append(call)
            end = len(body) if written.end is None else written.end
        if written.end is None:
            return calls, end, True
        if call is None:
            return calls, end, False
        at = written.end
        while at < len(body) and body[at] in BETWEEN:
            at += 1
    return calls, end, False
