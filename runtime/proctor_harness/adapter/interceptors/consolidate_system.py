"""``consolidate_system``: one system message, at the beginning, where templates refuse others."""

import logging
from functools import partial

from proctor_harness.adapter import openai
from proctor_harness.adapter.configuration import InterceptorConfig
from proctor_harness.adapter.content import JsonObject
from proctor_harness.adapter.messages import Interceptor
from proctor_harness.adapter.rewrite import change_question
from proctor_harness.adapter.site import Site

logger = logging.getLogger(__name__)


class Config(InterceptorConfig):
    """Fields of ``consolidate_system``."""

    separator: str = "\n\n"
    """Between the contents of what were several messages."""


def build(config: Config, _: Site) -> Interceptor:
    """Change each question that needs it."""
    return change_question(partial(consolidated, config.separator))


def consolidated(separator: str, asked: JsonObject) -> JsonObject:
    """The question with its system messages put together; the same if there was nothing to do."""
    messages = asked.get("messages") or []
    at = [i for i, message in enumerate(messages) if message.get("role") == "system"]
    if at in ([], [0]):
        return asked
    logger.warning("system messages at %s of %d messages are put together", at, len(messages))
    contents = [openai.text(messages[i].get("content")) for i in at]
    content = separator.join(filter(None, contents))
    first = [{"role": "system", "content": content}] if content else []
    others = [message for message in messages if message.get("role") != "system"]
    return {**asked, "messages": first + others}
