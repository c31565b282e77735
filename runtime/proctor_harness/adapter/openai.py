"""The little that the adapter knows of the OpenAI protocol: items, usage, the shape of errors."""

import json
from http import HTTPStatus

ITEM_PATHS = ("/completions", "/chat/completions")
"""Paths (their ends) whose requests carry items of the evaluation; others are bookkeeping."""


def items(target: str, body: bytes) -> int:
    """Count the prompts that a request carries: what one answer to it completes."""
    if not target.partition("?")[0].endswith(ITEM_PATHS):
        return 0
    try:
        prompt = json.loads(body).get("prompt")
    except (ValueError, AttributeError):
        return 0
    is_batch = isinstance(prompt, list) and bool(prompt) and not isinstance(prompt[0], int)
    return len(prompt) if is_batch else 1


def usage(body: bytes) -> dict[str, int] | None:
    """Find the token counts in an answer, plain or streamed, without parsing its log-probs.

    Inside a JSON string the quotes would be escaped, so the key cannot be mistaken; the last one
    counts, because a stream carries ``"usage": null`` until its end.
    """
    start = body.find(b"{", body.rfind(b'"usage"'))
    if b'"usage"' not in body or start < 0:
        return None
    try:
        found, _ = json.JSONDecoder().raw_decode(body[start:].decode(errors="replace"))
    except ValueError:
        return None
    return {key: value for key, value in found.items() if isinstance(value, int)}


def error_body(status: HTTPStatus, message: str) -> bytes:
    """Write an error as an OpenAI server would."""
    error = {"message": message, "type": "upstream_error", "code": status.phrase}
    return json.dumps({"error": error}).encode()
