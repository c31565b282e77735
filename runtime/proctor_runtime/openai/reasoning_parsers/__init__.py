"""Telling a model's reasoning from its answer: one module for each way of marking it."""

from typing import Protocol

from proctor_runtime.openai.reasoning_parsers import think


class ReasoningParser(Protocol):
    """A module."""

    def begins_inside(self, prompt: str) -> bool:
        """Tell whether the prompt's end has opened the reasoning already, as some templates do."""
        ...

    def split(self, text: str, *, final: bool, inside: bool) -> tuple[str, str]:
        """Return the reasoning and the rest of what was written so far.

        Until `final`, only what no later text can change: both grow by appending.
        """
        ...


REASONING_PARSERS: dict[str, ReasoningParser] = {"think": think}
