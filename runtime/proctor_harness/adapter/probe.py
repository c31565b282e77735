"""``POST /target``: one question of one token, which shows whether the target can be asked so.

It is asked without the chain: it is no item, no interceptor sees it, and nothing of it is stored.
What it may ask is fixed, so that nobody can ask the target unseen.
"""

from typing import Any, Literal

from proctor_crds.base import Model
from proctor_harness.adapter.content import Content, JsonObject
from proctor_harness.adapter.messages import Endpoint, Request
from proctor_harness.adapter.openai import choices

AGENT = "proctor-preflight"
"""By which a server's log tells it from the evaluation's questions."""
WORDS = "The quick brown fox jumps over the lazy dog."
SAID = 400
"""Characters of a refusal that are told."""


class Wanted(Model):
    """What the evaluation will want of an answer."""

    model: str
    endpoint_type: Literal["completions", "chat"]
    logprobs: bool = False
    """Log-probabilities of the prompt."""
    tools: bool = False
    """Calls of functions."""


class Probed(Model):
    """What came of the question."""

    status: int
    """HTTP status; 502 or 504 where there was no answer, 0 where nothing was asked."""
    words: str = ""
    """The beginning of the body of a refusal."""
    logprobs: bool = False
    """Whether the answer has log-probabilities of the prompt."""


async def probe(upstream: Endpoint, wanted: Wanted) -> Probed:
    """Ask once."""
    path, asked = question(wanted)
    headers = ((b"content-type", b"application/json"), (b"user-agent", AGENT.encode()))
    response = await upstream(Request("POST", path, headers, Content.of(asked)))
    body = response.body
    raw = body.raw if isinstance(body, Content) else b"".join([piece async for piece in body])
    if response.status != 200:
        return Probed(status=response.status, words=raw.decode(errors="replace")[:SAID])
    return Probed(status=200, logprobs=has_logprobs(Content(raw).object or {}))


def question(wanted: Wanted) -> tuple[str, JsonObject]:
    """The path and the body."""
    common: dict[str, Any] = {"model": wanted.model, "max_tokens": 1}
    if wanted.endpoint_type == "completions":
        scored = {"echo": True, "logprobs": 1} if wanted.logprobs else {}
        return "/v1/completions", {**common, "prompt": WORDS, **scored}
    messages = [{"role": "user", "content": WORDS}]
    tools = {"tools": [TOOL]} if wanted.tools else {}
    return "/v1/chat/completions", {**common, "messages": messages, **tools}


TOOL: JsonObject = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Add two numbers.",
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "number"}, "b": {"type": "number"}},
            "required": ["a", "b"],
        },
    },
}


def has_logprobs(answer: JsonObject) -> bool:
    """Whether a token of the prompt has one: the first never has, the last is the answer's."""
    for choice in choices(answer):
        found = choice.get("logprobs")
        values = found.get("token_logprobs") if isinstance(found, dict) else None
        if isinstance(values, list) and any(value is not None for value in values[:-1]):
            return True
    return False
