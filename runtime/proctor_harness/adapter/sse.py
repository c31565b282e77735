"""A streamed answer put together: what the server would have said without `stream`."""

import re
from collections.abc import Iterator
from typing import Any

from proctor_harness.adapter import openai
from proctor_harness.adapter.content import Content, Json, JsonObject, loads
from proctor_harness.adapter.messages import Headers, header

EVENT_STREAM = b"text/event-stream"
DONE = b"[DONE]"
ENDED = re.compile(rb'"(?:finish_reason"\s*:\s*"|response\.(?:completed|incomplete)")')
"""What of a stream without ``[DONE]`` tells its end; inside a string its quotes are escaped."""
END_BYTES = 64


def is_event_stream(headers: Headers) -> bool:
    """Whether the body is server-sent events."""
    return header(headers, b"content-type").lower().startswith(EVENT_STREAM)


def answer(headers: Headers, body: Content) -> JsonObject | None:
    """The answer as one object, however it was sent; nothing if it is not an object."""
    return coalesced(body.raw) if is_event_stream(headers) else body.object


def error(headers: Headers, body: Content) -> Json:
    """The error that an answer holds although its status says that it is one; falsy if none."""
    if b'"error"' not in body.raw:
        return None
    try:
        found = answer(headers, body)
    except ValueError:
        return None
    return found.get("error") if found and not found.get("choices") else None


def answers(target: str, raw: bytes) -> bool:
    """Whether the events answer what the path asks, to the end; cheaper than `coalesced`."""
    try:
        return ended(raw) and any(openai.answers(target, event) for event in events(raw))
    except ValueError:
        return False


def ended(raw: bytes) -> bool:
    """Whether the events say that they are all: a connection that closes may have been cut."""
    return done(raw) or ENDED.search(raw) is not None


def done(raw: bytes) -> bool:
    """Whether the last event is the one that ends streams."""
    return raw[-END_BYTES:].rstrip().endswith(DONE)


def events(raw: bytes) -> Iterator[JsonObject]:
    """The events' objects, up to ``[DONE]``; raises ValueError for one that is not JSON."""
    for line in raw.splitlines():
        name, _, value = line.partition(b":")
        if name != b"data":
            continue
        data = value.strip()
        if data == DONE:
            return
        event = loads(data)
        if isinstance(event, dict):
            yield event


def coalesced(raw: bytes) -> JsonObject | None:
    """One object from all events: the error among them, if there is one."""
    whole: JsonObject = {}
    choices: dict[int, JsonObject] = {}
    for event in events(raw):
        if "error" in event:
            return event
        for key, value in event.items():
            if key != "choices" and value is not None:
                whole[key] = value
        for delta in event.get("choices") or []:
            index = delta.get("index", 0)
            choices[index] = merged(choices.get(index, {}), delta)
    if not choices:
        return None
    return {
        **whole,
        "object": str(whole.get("object", "chat.completion.chunk")).removesuffix(".chunk"),
        "choices": [finished(choices[index]) for index in sorted(choices)],
    }


def finished(choice: JsonObject) -> JsonObject:
    """A choice in the form of an answer at once: a message, where there was a delta."""
    if "delta" not in choice:
        return choice
    delta = choice["delta"]
    message = {"role": "assistant", "content": "", **delta}
    if "tool_calls" in delta:
        message["tool_calls"] = [without_index(call) for call in delta["tool_calls"]]
    return {**{k: v for k, v in choice.items() if k != "delta"}, "message": message}


def without_index(call: JsonObject) -> JsonObject:
    """A tool call without the place in the list that only deltas carry."""
    return {key: value for key, value in call.items() if key != "index"}


KEPT = frozenset({"index", "role", "id", "type", "finish_reason", "stop_reason"})
"""Fields that a later piece replaces; other strings and lists go on where the last piece ended."""


def merged(before: Any, piece: Json) -> Any:
    """What was there with the next piece of it."""
    if before is None:
        return piece
    if piece is None:
        return before
    if isinstance(before, dict) and isinstance(piece, dict):
        return before | {key: merged_field(key, before.get(key), piece[key]) for key in piece}
    if isinstance(before, str) and isinstance(piece, str):
        return before + piece
    if isinstance(before, list) and isinstance(piece, list):
        return merged_list(before, piece)
    return piece


def merged_field(key: str, before: Json, piece: Json) -> Json:
    """One field."""
    if key in KEPT:
        return before if piece in (None, "") else piece
    if key == "tool_calls":
        return merged_list(before or [], piece or [])
    return merged(before, piece)


def merged_list(before: list[Json], piece: list[Json]) -> list[Json]:
    """Items that carry their index are put together by it; others are appended."""
    result = list(before)
    for item in piece:
        places = [i for i, old in enumerate(result) if place(old) == place(item) is not None]
        if places:
            result[places[0]] = merged(result[places[0]], item)
        else:
            result.append(item)
    return result


def place(item: Json) -> int | None:
    """The index that an item of a list carries."""
    return item.get("index") if isinstance(item, dict) else None
