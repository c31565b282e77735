"""Reading server-sent events, and holding answers against the openai package's own types."""

import copy
import json
from typing import Any

import httpx
from openai.types import Completion, Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import BaseModel

OURS = {"stop_reason", "reasoning_content", "root", "parent", "max_model_len"}
"""vLLM's additions, which OpenAI's types do not know."""


def chunks_of(answer: httpx.Response) -> list[dict[str, Any]]:
    """Return a whole stream's chunks; it must be framed as OpenAI frames it."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    *events, end = answer.text.split("\n\n")
    assert (events[-1], end) == ("data: [DONE]", "")
    assert all(event.startswith("data: ") and "\n" not in event for event in events)
    return [json.loads(event[len("data: ") :]) for event in events[:-1]]


def assert_completion(data: dict[str, Any]) -> None:
    """OpenAI's types forget the null that their API has for an echoed prompt's first token."""
    data = copy.deepcopy(data)
    for choice in data["choices"]:
        logprobs = choice["logprobs"] or {"token_logprobs": []}
        if logprobs["token_logprobs"][:1] == [None]:
            assert logprobs["top_logprobs"][0] is None
            logprobs["token_logprobs"][0], logprobs["top_logprobs"][0] = 0.0, {}
    assert_fits(Completion, data)


def assert_completion_chunk(data: dict[str, Any]) -> None:
    """OpenAI streams the same object, with no reason to finish until the last."""
    data = copy.deepcopy(data)
    for choice in data["choices"]:
        choice["finish_reason"] = choice["finish_reason"] or "stop"
    assert_completion(data)


def assert_chat(data: dict[str, Any]) -> None:
    assert_fits(ChatCompletion, data)


def assert_chunk(data: dict[str, Any]) -> None:
    assert_fits(ChatCompletionChunk, data)


def assert_model(data: dict[str, Any]) -> None:
    assert_fits(Model, data)


def assert_fits(kind: type[BaseModel], data: dict[str, Any]) -> None:
    """Every field is of OpenAI's type, and there is none that OpenAI has not."""
    parsed = kind.model_validate(data, strict=True)
    known = parsed.model_dump(mode="json", exclude_unset=True)
    assert without_ours(data) == without_ours(declared(parsed, known))


def declared(parsed: BaseModel, known: dict[str, Any]) -> dict[str, Any]:
    """Return the dump less what the types let through undeclared."""
    assert not extras(parsed) - OURS, extras(parsed)
    return known


def extras(parsed: Any) -> set[str]:
    """Return the undeclared fields, however deep."""
    if isinstance(parsed, list):
        return set().union(*map(extras, parsed))
    if not isinstance(parsed, BaseModel):
        return set()
    deeper = [extras(getattr(parsed, name)) for name in type(parsed).model_fields]
    return set(parsed.model_extra or {}).union(*deeper)


def without_ours(data: Any) -> Any:
    """Return the data less vLLM's additions."""
    if isinstance(data, list):
        return [without_ours(one) for one in data]
    if not isinstance(data, dict):
        return data
    return {name: without_ours(value) for name, value in data.items() if name not in OURS}
