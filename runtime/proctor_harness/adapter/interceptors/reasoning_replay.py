"""``reasoning_replay``: gives an agent's model its earlier reasoning back.

Agents send the conversation again at each turn, and many leave `reasoning_content` out of it. What
the model reasoned is remembered by the tool calls that followed, or by the answer's words, and put
back into the message that they stand in.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from proctor_harness.adapter import openai
from proctor_harness.adapter.configuration import InterceptorConfig
from proctor_harness.adapter.content import Json, JsonObject
from proctor_harness.adapter.messages import Endpoint, Interceptor, Request, Response
from proctor_harness.adapter.rewrite import changed, watched_answer
from proctor_harness.adapter.site import Site

HASHED_CHARACTERS = 256


class Config(InterceptorConfig):
    """Fields of ``reasoning_replay``."""

    mode: Literal["think_tags", "native", "both"] = "think_tags"
    """Put it into the content between tags, into `reasoning_content`, or both."""
    tag_open: Annotated[str, Field(min_length=1)] = "<think>"
    """Before it."""
    tag_close: Annotated[str, Field(min_length=1)] = "</think>"
    """After it."""
    cache_max_entries: int = 10_000
    """Reasonings to remember; the longest unused are forgotten."""
    log_misses: bool = False
    """Accepted and without effect."""


def build(config: Config, _: Site) -> Interceptor:
    """Remember from the start."""
    return ReasoningReplay(config)


class ReasoningReplay:
    """The interceptor."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._remembered: OrderedDict[str, str] = OrderedDict()

    async def __call__(self, request: Request, call_next: Endpoint) -> Response:
        """Put back what is missing, and remember what comes."""
        session = request.session or ""

        def remember(answer: JsonObject) -> None:
            for choice in openai.choices(answer):
                self._remember(session, openai.message(choice))

        request = changed(request, lambda asked: self._replayed(session, asked))
        return await watched_answer(await call_next(request), remember)

    def _remember(self, session: str, message: JsonObject) -> None:
        reasoning = message.get("reasoning_content")
        if not isinstance(reasoning, str) or not reasoning.strip():
            return
        for key in keys(session, message):
            self._remembered[key] = reasoning
            self._remembered.move_to_end(key)
        while len(self._remembered) > max(self._config.cache_max_entries, 1):
            self._remembered.popitem(last=False)

    def _replayed(self, session: str, asked: JsonObject) -> JsonObject:
        messages = asked.get("messages")
        if not isinstance(messages, list):
            return asked
        replayed = [self._message(session, message) for message in messages]
        same = all(new is old for new, old in zip(replayed, messages, strict=True))
        return asked if same else {**asked, "messages": replayed}

    def _message(self, session: str, message: Json) -> Json:
        if not isinstance(message, dict) or message.get("role") != "assistant":
            return message
        known = [key for key in keys(session, message) if key in self._remembered]
        if not known:
            return message
        self._remembered.move_to_end(known[0])
        return with_reasoning(self._config, message, self._remembered[known[0]])


def keys(session: str, message: JsonObject) -> Iterator[str]:
    """What a message is recognised by: its tool calls' ids, or else how its words begin."""
    calls = [call.get("id") for call in message.get("tool_calls") or [] if isinstance(call, dict)]
    if ids := [call for call in calls if isinstance(call, str) and call]:
        yield from (f"{session}|call:{call}" for call in ids)
        return
    said = openai.text(message.get("content"))[:HASHED_CHARACTERS]
    if said.strip():
        yield f"{session}|text:{hashlib.sha256(said.encode()).hexdigest()}"


def with_reasoning(config: Config, message: JsonObject, reasoning: str) -> JsonObject:
    """The message with its reasoning; the same if it has it."""
    added: dict[str, Any] = {}
    native = message.get("reasoning_content")
    if config.mode != "think_tags" and not (isinstance(native, str) and native.strip()):
        added["reasoning_content"] = reasoning
    content = message.get("content")
    tagged = openai.text(content).lstrip().startswith(config.tag_open)
    if config.mode != "native" and not tagged:
        added["content"] = wrapped(config, content, reasoning)
    return {**message, **added} if added else message


def wrapped(config: Config, content: Json, reasoning: str) -> Json:
    """The content with the reasoning before it."""
    tag = f"{config.tag_open}{reasoning}{config.tag_close}\n"
    if isinstance(content, list):
        return [{"type": "text", "text": tag}, *content]
    return tag + content if isinstance(content, str) else tag
