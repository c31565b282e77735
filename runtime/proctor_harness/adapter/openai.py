"""The little that the adapter knows of the OpenAI protocol."""

import json
from functools import lru_cache

from proctor_harness.adapter.content import Content, Json, JsonObject
from proctor_harness.adapter.messages import Request

QUESTION_PATHS = ("/completions", "/embeddings", "/responses")
"""Ends of the paths that ask the model; others are bookkeeping."""
_DECODER = json.JSONDecoder()
ITEM_PATHS = ("/completions",)
"""Ends of the paths whose requests carry items of the evaluation, chat included."""
ENDED_STATUSES = ("completed", "incomplete")
"""Of a response that may hold nothing: the model ended at once, or had no room."""
LAST_EVENTS = tuple(f"response.{status}" for status in ENDED_STATUSES)


@lru_cache(256)
def ends(target: str, paths: tuple[str, ...]) -> bool:
    """Whether the target's path, without its query, ends in one of these; there are few targets."""
    return target.partition("?")[0].rstrip("/").endswith(paths)


def is_question(request: Request) -> bool:
    """Whether the model is asked: what interceptors change and the cache keeps."""
    return asks(request.method, request.target)


def asks(method: str, target: str) -> bool:
    """Whether a request of this method asks the model."""
    return method == "POST" and ends(target, QUESTION_PATHS)


def answers(target: str, found: JsonObject) -> bool:
    """Whether the object, or the event of a stream, is an answer to what its path asks."""
    if ends(target, ("/embeddings",)):
        return bool(found.get("data"))
    if ends(target, ("/responses",)):
        # Of a stream the last event holds the response; those before it hold what there is so far.
        return responds(found.get("response") if found.get("type") in LAST_EVENTS else found)
    given = choices(found)
    return bool(given) and all(map(says, given))


def responds(response: Json) -> bool:
    """Whether a response says something, or that nothing is all there is to say."""
    output = response.get("output") if isinstance(response, dict) else None
    if not isinstance(output, list):
        return False
    return bool(output) or response.get("status") in ENDED_STATUSES


def says(choice: JsonObject) -> bool:
    """Whether a choice has something that may be scored, be it empty."""
    parts = (choice.get("message"), choice.get("delta"))
    return "text" in choice or any(isinstance(part, dict) for part in parts)


def items(target: str, body: Content) -> int:
    """Count the prompts that a request carries: what one answer to it completes."""
    asked = body.object if ends(target, ITEM_PATHS) else None
    if asked is None:
        return 0
    prompt = asked.get("prompt")
    # A list of numbers is one prompt, in tokens.
    if not isinstance(prompt, list) or not prompt or isinstance(prompt[0], int):
        return 1
    return len(prompt)


def usage(body: bytes) -> dict[str, int] | None:
    """Find the token counts in an answer, plain or streamed, without parsing its log-probs.

    Inside a JSON string the quotes would be escaped, so the key cannot be mistaken; the last one
    counts, because a stream carries ``"usage": null`` until its end.
    """
    start = body.find(b"{", body.rfind(b'"usage"'))
    if b'"usage"' not in body or start < 0:
        return None
    try:
        found, _ = _DECODER.raw_decode(body[start:].decode(errors="replace"))
    except ValueError:
        return None
    return counts(found)


def counts(usage: Json) -> dict[str, int]:
    """The numbers of a `usage` object."""
    if not isinstance(usage, dict):
        return {}
    return {key: value for key, value in usage.items() if type(value) is int}


def choices(answer: JsonObject) -> list[JsonObject]:
    """The answer's choices, as far as they are objects."""
    found = answer.get("choices")
    return (
        [choice for choice in found if isinstance(choice, dict)] if isinstance(found, list) else []
    )


def message(choice: JsonObject) -> JsonObject:
    """A chat choice's message; empty for a completion's."""
    found = choice.get("message")
    return found if isinstance(found, dict) else {}


def text(content: Json) -> str:
    """The words of a message's content, which is a string or a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(part.get("text") or "" for part in content if isinstance(part, dict))
    return ""


def usage_of(answer: JsonObject) -> JsonObject:
    """The answer's `usage`, empty if it has none."""
    found = answer.get("usage")
    return found if isinstance(found, dict) else {}
