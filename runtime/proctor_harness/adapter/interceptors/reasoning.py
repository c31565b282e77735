"""``reasoning``: takes the reasoning out of answers, and counts it.

Scoring wants the answer, and a reasoning model writes ``<think>...</think>`` before it. Answers
whose server put the reasoning into `reasoning_content` are only counted.
"""

import logging
from dataclasses import dataclass
from typing import Literal

from proctor_harness.adapter import openai
from proctor_harness.adapter.configuration import InterceptorConfig
from proctor_harness.adapter.content import JsonObject
from proctor_harness.adapter.messages import Interceptor
from proctor_harness.adapter.reasoning_figures import Reasoned, ReasoningFigures, words
from proctor_harness.adapter.rewrite import change_answer
from proctor_harness.adapter.site import Site

logger = logging.getLogger(__name__)


class Config(InterceptorConfig):
    """Fields of ``reasoning``."""

    end_reasoning_token: str = "</think>"  # noqa: S105 - a marker, no secret
    """What ends the reasoning."""
    start_reasoning_token: str | None = "<think>"  # noqa: S105
    """What begins it; null where the chat template begins it in the prompt."""
    add_reasoning: bool = True
    """Take the reasoning out, and count it."""
    migrate_reasoning_content: bool = False
    """With add_reasoning off: write `reasoning_content` into the content, between the tokens."""
    keep_as_reasoning_content: bool = False
    """Keep what is taken out as `reasoning_content`."""
    enable_reasoning_tracking: bool = True
    """Log the figures of each answer."""
    include_if_not_finished: bool = True
    """Leave an answer that is all reasoning as it is; otherwise it becomes empty."""
    stats_file_saving_interval: int | None = None
    """Write the figures to the file after so many answers too, not only at the end."""
    logging_aggregated_stats_interval: int = 100
    """Log the figures after so many answers."""
    enable_caching: bool = True
    """Accepted and without effect: stored answers are counted when they are given again."""
    cache_dir: str | None = None
    """Accepted and without effect."""
    save_individuals: bool = True
    """Accepted and without effect."""


def build(config: Config, site: Site) -> Interceptor:
    """Change each answer, or none."""
    if config.add_reasoning:
        return change_answer(Reasoning(config, site))
    if config.migrate_reasoning_content:
        return change_answer(lambda answer: migrated(config, answer))
    return change_answer(lambda answer: answer)


class Reasoning:
    """The change of an answer, and its figures."""

    def __init__(self, config: Config, site: Site) -> None:
        self._config = config
        self._figures = ReasoningFigures()
        self._file = site.figures
        site.figures.section("reasoning", self._figures.record)
        site.finishers.append(self._finish)

    def __call__(self, answer: JsonObject) -> JsonObject:
        """The answer without reasoning."""
        usage = openai.usage_of(answer)
        choices = [self._choice(choice, usage) for choice in openai.choices(answer)]
        return {**answer, "choices": choices}

    def _choice(self, choice: JsonObject, usage: JsonObject) -> JsonObject:
        message = openai.message(choice)
        if message.get("role") != "assistant" or not isinstance(message.get("content"), str):
            return choice
        parted = part(self._config, message)
        self._count(parted, message, usage)
        changed = {**message, "content": parted.content}
        if self._config.keep_as_reasoning_content and parted.reasoning and parted.finished:
            start = self._config.start_reasoning_token or ""
            reasoning = parted.reasoning.strip().removeprefix(start).strip()
            changed.setdefault("reasoning_content", reasoning)
        return {**choice, "message": changed}

    def _count(self, parted: "Parted", message: JsonObject, usage: JsonObject) -> None:
        reasoned = Reasoned(
            reasoning_words=words(parted.reasoning),
            original_content_words=words(message["content"]),
            updated_content_words=words(parted.content),
            reasoning_finished=parted.finished,
            reasoning_started=parted.started,
            **parted.tokens(usage),
        )
        self._figures.add(reasoned)
        if self._config.enable_reasoning_tracking:
            logger.debug("%s", reasoned)
        count = self._figures.total_responses
        if count % self._config.logging_aggregated_stats_interval == 0:
            logger.info("%s", self._figures.record())
        every = self._config.stats_file_saving_interval
        if every and count % every == 0:
            self._file.touch()

    async def _finish(self) -> None:
        if self._figures.total_responses:
            self._file.touch()


@dataclass(frozen=True, slots=True)
class Parted:
    """A message, parted into reasoning and answer."""

    content: str
    reasoning: str | None
    """None where it cannot be told whether there is any."""
    started: bool | Literal["unknown"]
    finished: bool
    counted_apart: bool = False
    """The server itself parted them, and may have counted the tokens of each."""

    def tokens(self, usage: JsonObject) -> dict[str, int | None]:
        """Tokens of each part, where known."""
        if not self.counted_apart:
            return {"reasoning_tokens": None, "updated_content_tokens": None}
        reasoning = usage.get("reasoning_tokens")
        for key in ("completion_tokens_details", "output_tokens_details"):
            if reasoning is None and isinstance(usage.get(key), dict):
                reasoning = usage[key].get("reasoning_tokens")
        return {
            "reasoning_tokens": reasoning,
            "updated_content_tokens": usage.get("content_tokens"),
        }


def part(config: Config, message: JsonObject) -> Parted:
    """Part a message's content."""
    content = message["content"]
    apart = message.get("reasoning_content", message.get("reasoning"))
    if apart is not None:
        started, finished = bool(apart.strip()), bool(content.strip())
        return Parted(content, apart, started, finished, counted_apart=True)
    reasoning, end, _ = content.partition(config.end_reasoning_token)
    if end:
        answer = content.rpartition(config.end_reasoning_token)[2].strip("\n")
        return Parted(answer, reasoning, started=True, finished=True)
    kept = content if config.include_if_not_finished else ""
    if config.start_reasoning_token is None:
        return Parted(kept, None, started="unknown", finished=False)
    started = config.start_reasoning_token in content
    return Parted(kept, content if started else "", started, finished=False)


def migrated(config: Config, answer: JsonObject) -> JsonObject:
    """The answer with each `reasoning_content` written into its content."""
    start, end = config.start_reasoning_token or "", config.end_reasoning_token
    choices = []
    for choice in openai.choices(answer):
        message = openai.message(choice)
        reasoning = message.get("reasoning_content") or ""
        if reasoning.strip():
            content = f"{start}{reasoning}{end}{message.get('content') or ''}"
            choices.append({**choice, "message": {**message, "content": content}})
        else:
            choices.append(choice)
    return {**answer, "choices": choices}
