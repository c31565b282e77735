"""A JSON object while it is still being written."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

# Where things end is all that is asked of it; and Python makes no int of very many digits.
DECODER = json.JSONDecoder(parse_int=str)
UNREADABLE = (ValueError, RecursionError)
"""What no JSON is, and what is nested too deeply to be read: a model that repeats itself writes
both."""
BLANK = " \t\r\n"


@dataclass(frozen=True, slots=True)
class WrittenObject:
    """What stands of an object."""

    members: Mapping[str, str] = field(default_factory=dict)
    """The JSON text of each member's value that has begun."""
    unfinished: str | None = None
    """The member whose value may go on."""
    end: int | None = None
    """Where the object ended in its text; None if it has not."""

    def finished(self, name: str) -> str | None:
        """Return the JSON text of a member that is all there."""
        return None if name == self.unfinished else self.members.get(name)


def read_object(text: str, at: int = 0) -> WrittenObject | None:
    """Read the object that begins at `at`; None where there is none and never will be."""
    if not text.startswith("{", at):
        return None
    members: dict[str, str] = {}
    at = skip(text, at + 1)
    while at < len(text):
        if text[at] == "}":
            return WrittenObject(members, end=at + 1)
        if text[at] == ",":
            at = skip(text, at + 1)
        read = read_name(text, at)
        if read is None:
            break
        name, at = read
        value_end = end_of_value(text, at)
        members[name] = text[at:value_end]
        if value_end is None:
            return WrittenObject(members, unfinished=name)
        at = skip(text, value_end)
    return WrittenObject(members)


def skip(text: str, at: int) -> int:
    """Return where the next character stands that is not blank."""
    while at < len(text) and text[at] in BLANK:
        at += 1
    return at


def read_name(text: str, at: int) -> tuple[str, int] | None:
    """Return a member's name and where its value begins; None if that is not written yet."""
    try:
        name, at = DECODER.raw_decode(text, at)
    except UNREADABLE:
        return None
    at = skip(text, at)
    if not isinstance(name, str) or not text.startswith(":", at):
        return None
    at = skip(text, at + 1)
    return (name, at) if at < len(text) else None


def end_of_value(text: str, at: int) -> int | None:
    """Return where a value ends; None while it may go on, as a number at the text's end may."""
    try:
        _, end = DECODER.raw_decode(text, at)
    except UNREADABLE:
        return None
    return None if end == len(text) and text[at] in "-0123456789" else end
