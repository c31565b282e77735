"""What ``reasoning`` counts, under NeMo Evaluator's names."""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from proctor_harness.adapter.content import JsonObject
from proctor_harness.adapter.running import Running

AVERAGED = (
    "reasoning_words",
    "original_content_words",
    "updated_content_words",
    "reasoning_tokens",
    "updated_content_tokens",
)


class Reasoned(NamedTuple):
    """The figures of one answer; None where they cannot be known."""

    reasoning_words: int | None
    original_content_words: int | None
    updated_content_words: int | None
    reasoning_finished: bool
    reasoning_started: bool | Literal["unknown"]
    reasoning_tokens: int | None
    updated_content_tokens: int | None


def words(text: str | None) -> int | None:
    """Words of a text."""
    return None if text is None else len(text.split())


@dataclass(slots=True)
class ReasoningFigures:
    """The figures of all answers."""

    total_responses: int = 0
    responses_with_reasoning: int = 0
    started: int = 0
    finished: int = 0
    running: dict[str, Running] = field(
        default_factory=lambda: {key: Running() for key in AVERAGED}
    )

    def add(self, reasoned: Reasoned) -> None:
        """Count one answer."""
        self.total_responses += 1
        started = reasoned.reasoning_started is True
        seen = reasoned.reasoning_words
        self.responses_with_reasoning += bool(seen) or (seen is None and started)
        self.started += started
        self.finished += started and reasoned.reasoning_finished
        for key, running in self.running.items():
            value = getattr(reasoned, key)
            if isinstance(value, int):
                running.add(value)

    def record(self) -> JsonObject:
        """The section of the file."""
        ratio = (
            self.finished / self.responses_with_reasoning if self.responses_with_reasoning else 0
        )
        return {
            "description": "Reasoning statistics saved during processing",
            "total_responses": self.total_responses,
            "responses_with_reasoning": self.responses_with_reasoning,
            "reasoning_finished_count": self.finished,
            "reasoning_started_count": self.started,
            "reasoning_unfinished_count": self.started - self.finished,
            "reasoning_finished_ratio": ratio,
            **{f"avg_{key}": running.mean for key, running in self.running.items()},
            **{f"max_{key}": running.largest for key, running in self.running.items()},
            **{f"total_{key}": running.total for key, running in self.running.items()},
        }
