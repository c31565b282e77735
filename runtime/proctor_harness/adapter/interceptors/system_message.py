"""``system_message``: gives the model a system message."""

from functools import partial
from typing import Literal

from proctor_harness.adapter import openai
from proctor_harness.adapter.configuration import InterceptorConfig
from proctor_harness.adapter.content import JsonObject
from proctor_harness.adapter.errors import UnreadableError
from proctor_harness.adapter.messages import Interceptor
from proctor_harness.adapter.rewrite import change_question
from proctor_harness.adapter.site import Site


class Config(InterceptorConfig):
    """Fields of ``system_message``."""

    system_message: str
    """What the model is told."""
    strategy: Literal["prepend", "append", "replace"] = "prepend"
    """Where it goes, if the question has a system message already."""


def build(config: Config, _: Site) -> Interceptor:
    """Change each question."""
    return change_question(partial(with_system_message, config))


def with_system_message(config: Config, asked: JsonObject) -> JsonObject:
    """The question with one system message, at its beginning."""
    messages = asked.get("messages")
    if not isinstance(messages, list):
        raise UnreadableError("a question without `messages` has no system message: use chat")
    others = [message for message in messages if message.get("role") != "system"]
    system = [openai.text(m.get("content")) for m in messages if m.get("role") == "system"]
    content = {
        "replace": [config.system_message],
        "append": [*system, config.system_message],
        "prepend": [config.system_message, *system],
    }[config.strategy]
    first = {"role": "system", "content": "\n".join(content)}
    return {**asked, "messages": [first, *others]}
