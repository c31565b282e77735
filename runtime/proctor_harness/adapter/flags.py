"""Answers that a harness would score as wrong although the model was never heard.

A stock harness takes an empty answer for a wrong one. It is not: the model spent its tokens on
reasoning, ran into its limit, or said nothing. Such answers are counted and marked in the item log,
so that a score can be told from a defect of its measurement.
"""

from enum import StrEnum

from proctor_harness.adapter import openai
from proctor_harness.adapter.content import JsonObject


class Flag(StrEnum):
    """What is odd about an answer."""

    REASONING_ONLY = "reasoningOnly"
    """The model reasoned, and no answer followed."""
    EMPTY = "empty"
    """Nothing but white space."""
    TRUNCATED = "truncated"
    """It ended because of a token limit."""


REASONING_KEYS = ("reasoning_content", "reasoning")
OPENING, CLOSING = "<think>", "</think>"


def flags(asked: JsonObject, answer: JsonObject) -> frozenset[Flag]:
    """What is odd about the choices of an answer; nothing about log-probabilities of a prompt."""
    if asked.get("echo") or asked.get("max_tokens") == 0:
        return frozenset()
    return frozenset(flag for choice in openai.choices(answer) for flag in of_choice(choice))


def of_choice(choice: JsonObject) -> set[Flag]:
    """What is odd about one choice."""
    found = {Flag.TRUNCATED} if choice.get("finish_reason") == "length" else set()
    message = openai.message(choice)
    if message.get("tool_calls") or message.get("function_call"):
        return found
    said = openai.text(message.get("content", choice.get("text")))
    answer, reasoned = split(said)
    reasoned = reasoned or any(openai.text(message.get(key)).strip() for key in REASONING_KEYS)
    if not answer.strip():
        found.add(Flag.REASONING_ONLY if reasoned else Flag.EMPTY)
    return found


def split(said: str) -> tuple[str, bool]:
    """The answer after its reasoning, and whether there was any."""
    reasoning, closed, answer = said.rpartition(CLOSING)
    if closed:
        return answer, bool(reasoning.replace(OPENING, "").strip())
    before, opened, reasoning = said.partition(OPENING)
    return (before, bool(reasoning.strip())) if opened else (said, False)
