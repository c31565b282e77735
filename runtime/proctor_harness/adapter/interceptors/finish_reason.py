"""``finish_reason``: says "length" of an answer that used up its tokens, whatever the server says.

Some servers say "stop" of an answer that was cut off; most harmful where all tokens went into
reasoning and no answer came.
"""

import logging

from proctor_harness.adapter import flags, openai
from proctor_harness.adapter.configuration import InterceptorConfig
from proctor_harness.adapter.content import Json, JsonObject
from proctor_harness.adapter.messages import Endpoint, Interceptor, Request, Response
from proctor_harness.adapter.openai import is_question
from proctor_harness.adapter.rewrite import answer_changed, asked
from proctor_harness.adapter.site import Site

CAPS = ("max_completion_tokens", "max_tokens")

logger = logging.getLogger(__name__)


class Config(InterceptorConfig):
    """Fields of ``finish_reason``."""


def build(_: Config, __: Site) -> Interceptor:
    """Relabel answers that were cut off."""
    return intercept


async def intercept(request: Request, call_next: Endpoint) -> Response:
    """Pass on, and compare the answer with the question's limit."""
    response = await call_next(request)
    if not is_question(request):
        return response
    body = asked(request)
    caps = list(filter(None, counted(*(body.get(key) for key in CAPS))))
    cap = caps[0] if caps else None
    return await answer_changed(response, lambda answer: relabelled(cap, answer))


def relabelled(cap: int | None, answer: JsonObject) -> JsonObject:
    """The answer with honest finish reasons; the same if they were."""
    choices = openai.choices(answer)
    shared = generated(answer.get("usage")) if len(choices) == 1 else None
    honest = [relabelled_choice(cap, shared, choice) for choice in choices]
    if all(new is old for new, old in zip(honest, choices, strict=True)):
        return answer
    return {**answer, "choices": honest}


def relabelled_choice(cap: int | None, shared: int | None, choice: JsonObject) -> JsonObject:
    """One choice; `shared` are the tokens of the whole answer, if it is the only one."""
    own = choice.get("usage")
    tokens = generated(own if isinstance(own, dict) else choice)
    tokens = shared if tokens is None else tokens
    if odd := flags.of_choice(choice) - {flags.Flag.TRUNCATED}:
        logger.warning("%s answer, %s tokens", " ".join(odd), tokens)
    cut_off = cap is not None and tokens is not None and tokens >= cap
    if not cut_off or choice.get("finish_reason") != "stop":
        return choice
    logger.warning("finish_reason stop is length: %s of %s tokens were generated", tokens, cap)
    return {**choice, "finish_reason": "length"}


def generated(usage: Json) -> int | None:
    """Tokens generated, reasoning included, of an object that may count them."""
    if not isinstance(usage, dict):
        return None
    details = usage.get("completion_tokens_details")
    reasoning = details.get("reasoning_tokens") if isinstance(details, dict) else None
    return max(counted(usage.get("completion_tokens"), reasoning), default=None)


def counted(*values: Json) -> list[int]:
    """Those of the values that are numbers of tokens."""
    return [value for value in values if type(value) is int and value >= 0]
