"""A tool call, and how it is read from a JSON object: what the formats have in common."""

import json
from dataclasses import dataclass

from proctor_runtime.openai.partial_json import UNREADABLE, WrittenObject

ARGUMENTS = ("arguments", "parameters")
"""Models are trained on either name."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call, perhaps not all of it."""

    name: str
    arguments: str
    """JSON text, as the model wrote it: neither its syntax nor its fit to the tool is checked."""


@dataclass(frozen=True, slots=True)
class Scan:
    """What a text holds."""

    content: str = ""
    calls: tuple[Call, ...] = ()


def read_call(written: WrittenObject, *, final: bool, bare: bool) -> Call | None:
    """Return the call that an object is; None while, or if, it is none.

    `bare` says whether a name without arguments is a call, once the object is closed.
    """
    name = text_of(written.finished("name"))
    if name is None:
        return None
    member = next((member for member in ARGUMENTS if member in written.members), None)
    if member is None:
        return Call(name, "{}") if bare and written.end is not None else None
    value = written.members[member]
    if not value.startswith('"'):
        return Call(name, value)
    # Arguments as a JSON text inside a string: some models quote them once more.
    whole = final or written.finished(member) is not None
    return Call(name, (text_of(value) or value) if whole else "")


def text_of(value: str | None) -> str | None:
    """Return the string that a JSON text is; None if it is none, or no Unicode.

    JSON can write half a surrogate pair, which no answer can.
    """
    try:
        text = json.loads(value or "null")
        str.encode(text)
    except (*UNREADABLE, TypeError):
        return None
    return str(text)
