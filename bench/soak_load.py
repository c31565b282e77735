"""The load of a soak: every way of asking, and clients that do not wait for their answer."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import aiohttp

from bench.load import Body
from bench.serving_model import VOCABULARY

STUCK_SECONDS = 90
"""Nothing that is asked here takes a tenth of that on its own."""

MOST_ERRORS = 20
"""Told; all are counted."""

CHAT_TEMPLATE = (
    "{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)


class WrongAnswerError(Exception):
    """The answer is not one to what was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One way of asking; a client that `leaves` waits for a part of the answer at most."""

    name: str
    path: str = "completions"
    make: Callable[[Random], Body]
    leaves: bool = False


@dataclass(slots=True)
class Tally:
    """What came of all requests."""

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By kind and ``answered``, ``left``, ``full``, ``error`` or ``stuck``."""
    errors: list[str] = field(default_factory=list)

    def count(self, outcome: str) -> int:
        """Return how many requests ended so."""
        return sum(count for (_, what), count in self.outcomes.items() if what == outcome)


def tokens(random: Random, most: int) -> list[int]:
    """Draw a prompt."""
    return [random.randrange(3, VOCABULARY) for _ in range(random.randint(1, most))]


def text(random: Random) -> str:
    """Draw a text."""
    return " ".join(str(random.randrange(10**4)) for _ in range(random.randint(1, 60)))


def completion(random: Random) -> Body:
    """Continue a text, greedily or not."""
    return {
        "prompt": text(random),
        "max_tokens": random.randint(1, 96),
        "temperature": random.choice([0, 0.7, 1.3]),
        "top_p": random.choice([0.9, 1]),
        "top_k": random.choice([0, 20]),
    }


def several(random: Random) -> Body:
    """Continue prompts several times, until a text that may come."""
    stop = random.sample(["e", "0", "self", "\n", "nothing of the kind"], 2)
    prompts = [tokens(random, 100) for _ in range(random.randint(1, 3))]
    return {"prompt": prompts, "n": random.randint(2, 4), "max_tokens": 32, "stop": stop}


def scoring(random: Random) -> Body:
    """Ask for the log-likelihoods of continuations of one prompt, as lm-eval does."""
    shared = tokens(random, 300)
    prompts = [[*shared, *tokens(random, 40)] for _ in range(random.randint(1, 8))]
    return {"prompt": prompts, "echo": True, "logprobs": 1, "max_tokens": random.choice([0, 1])}


def chat(random: Random) -> Body:
    """Ask for a conversation's next turn."""
    turns = [{"role": "user", "content": text(random)} for _ in range(random.randint(1, 3))]
    return {"messages": turns, "max_tokens": 48, "logprobs": True, "top_logprobs": 2}


def stream(make: Callable[[Random], Body]) -> Callable[[Random], Body]:
    """Ask for the same bit by bit."""
    return lambda random: {**make(random), "stream": True, "stream_options": USAGE}


USAGE = {"include_usage": True}
KINDS = (
    Kind(name="completion", make=completion),
    Kind(name="several", make=several),
    Kind(name="scoring", make=scoring),
    Kind(name="chat", path="chat/completions", make=chat),
    Kind(name="stream", make=stream(completion)),
    Kind(name="several streams", make=stream(several)),
    Kind(name="chat stream", path="chat/completions", make=stream(chat)),
    Kind(name="leaves a stream", make=stream(several), leaves=True),
    Kind(name="leaves a chat", path="chat/completions", make=stream(chat), leaves=True),
    Kind(name="leaves a scoring", make=scoring, leaves=True),
    Kind(name="leaves a completion", make=several, leaves=True),
)
CROWD = Kind(
    name="crowd",
    make=lambda random: {"prompt": [tokens(random, 8) for _ in range(200)], "max_tokens": 2},
)
"""Some of these at once are more than may wait: they alone may be turned away."""


async def ask(session: aiohttp.ClientSession, kind: Kind, random: Random, tally: Tally) -> None:
    """Ask once, and count what came of it."""
    try:
        outcome = await outcome_of(session, kind, random)
    except TimeoutError:
        outcome = "stuck"
    except (aiohttp.ClientError, WrongAnswerError, LookupError, ValueError) as error:
        outcome = "error"
        if len(tally.errors) < MOST_ERRORS:
            tally.errors.append(f"{kind.name}: {type(error).__name__}: {error}")
    tally.outcomes[kind.name, outcome] += 1


async def outcome_of(session: aiohttp.ClientSession, kind: Kind, random: Random) -> str:
    """Ask, and wait for as much of the answer as the kind has patience for."""
    body = {"model": "tiny", **kind.make(random)}
    patience = random.uniform(0, 0.5) if kind.leaves else STUCK_SECONDS
    try:
        async with (
            asyncio.timeout(patience),
            session.post(f"/v1/{kind.path}", json=body) as answer,
        ):
            if kind is CROWD and answer.status == 429 and "Retry-After" in answer.headers:
                return "full"
            if answer.status != 200:
                raise WrongAnswerError(f"{answer.status} {await answer.text()}")
            content = await answer.text()
    except TimeoutError:
        if kind.leaves:
            return "left"
        raise
    (check_stream if body.get("stream") else check)(content, body)
    return "answered"


def check(content: str, body: Body) -> None:
    """Refuse a whole answer that is none to what was asked."""
    choices = json.loads(content)["choices"]
    if len(choices) != choices_of(body) or any(c["finish_reason"] not in ENDS for c in choices):
        raise WrongAnswerError(f"the choices are wrong: {content:.300}")
    if body.get("echo"):
        scored = [len(choice["logprobs"]["token_logprobs"]) for choice in choices]
        if scored != [len(prompt) + body["max_tokens"] for prompt in body["prompt"]]:
            raise WrongAnswerError(f"{scored} tokens are scored: {content:.300}")


def check_stream(content: str, body: Body) -> None:
    """Refuse a stream that breaks off."""
    *events, end = content.removesuffix("\n\n").split("\n\n")
    chunks = [json.loads(event.removeprefix("data: ")) for event in events]
    ended = [c for chunk in chunks for c in chunk["choices"] if c["finish_reason"] in ENDS]
    if end != "data: [DONE]" or len(ended) != choices_of(body) or not chunks[-1]["usage"]:
        raise WrongAnswerError(f"the stream is not whole: {content[-300:]}")


ENDS = ("stop", "length")


def choices_of(body: Body) -> int:
    """Return how many choices the answer has to have."""
    prompts: Any = body.get("prompt", "")
    return (1 if isinstance(prompts, str) else len(prompts)) * int(body.get("n", 1))
