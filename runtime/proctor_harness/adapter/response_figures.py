"""What ``response_stats`` counts, under NeMo Evaluator's names."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from proctor_harness.adapter import openai
from proctor_harness.adapter.content import JsonObject
from proctor_harness.adapter.running import Running

TOKENS = ("prompt_tokens", "total_tokens", "completion_tokens")


class Observed(NamedTuple):
    """One response of the target; as a line of the file of individuals, JSON of these fields."""

    at: float
    """When it was complete, in seconds since the epoch."""
    run_id: int
    status: int
    latency_ms: float
    tokens: dict[str, int] | None = None
    """Counts of a good answer; None of an error."""
    finish_reason: str | None = None
    tool_calls: int = 0
    function_calls: int = 0


def detailed(answer: JsonObject) -> dict[str, Any]:
    """What a good answer tells beside its status."""
    used = openai.counts(openai.usage_of(answer))
    found: dict[str, Any] = {"tokens": {key: used.get(key, 0) for key in TOKENS}}
    for choice in openai.choices(answer)[:1]:
        message = openai.message(choice)
        reason, calls = choice.get("finish_reason"), message.get("tool_calls")
        found["finish_reason"] = reason if isinstance(reason, str) else None
        found["tool_calls"] = len(calls) if isinstance(calls, list) else 0
        found["function_calls"] = int(bool(message.get("function_call")))
    return found


@dataclass(slots=True)
class Run:
    """One start of the adapter."""

    start: float | None = None
    first: float = 0.0
    """When its first request was sent."""
    last: float = 0.0
    """When its last response was complete."""

    def record(self) -> JsonObject:
        """As the file has it."""
        found = {
            "first_request_time": iso(self.first),
            "last_request_time": iso(self.last),
            "inference_time": self.last - self.first,
        }
        if self.start is None:
            return found
        waited = round(self.first - self.start, 3)
        return {"run_start": iso(self.start), **found, "time_to_first_request_seconds": waited}


@dataclass(slots=True)
class ResponseFigures:
    """The figures of all responses."""

    tokens: dict[str, Running] = field(default_factory=lambda: {key: Running() for key in TOKENS})
    latency: Running = field(default_factory=Running)
    count: int = 0
    successful: int = 0
    tool_calls: int = 0
    function_calls: int = 0
    finish_reasons: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    runs: dict[int, Run] = field(default_factory=dict)

    def add(self, seen: Observed) -> None:
        """Count one response."""
        self.count += 1
        self.statuses[seen.status] += 1
        self.latency.add(seen.latency_ms)
        run = self.runs.setdefault(seen.run_id, Run())
        run.first = run.first or seen.at - seen.latency_ms / 1000
        run.last = seen.at
        if seen.tokens is None:
            return
        self.successful += 1
        for key, running in self.tokens.items():
            running.add(seen.tokens.get(key, 0))
        if seen.finish_reason:
            self.finish_reasons[seen.finish_reason] += 1
        self.tool_calls += seen.tool_calls
        self.function_calls += seen.function_calls

    def record(self) -> JsonObject:
        """The section of the file."""
        measured = {**self.tokens, "latency_ms": self.latency}
        runs = {str(number): run.record() for number, run in self.runs.items() if run.last}
        return {
            "description": "Response statistics saved during processing",
            **{f"avg_{key}": running.mean for key, running in measured.items()},
            **{f"max_{key}": running.largest for key, running in measured.items()},
            "count": self.count,
            "successful_count": self.successful,
            "tool_calls_count": self.tool_calls,
            "function_calls_count": self.function_calls,
            "finish_reason": dict(self.finish_reasons),
            "stop_reason": {},
            "status_codes": {str(status): n for status, n in self.statuses.items()},
            "inference_time": sum(run["inference_time"] for run in runs.values()),
            "run_id": max(self.runs, default=0),
            "last_request_time": max((run.last for run in self.runs.values()), default=None),
            "inference_run_times": runs,
        }


def iso(seconds: float) -> str:
    """A time of the epoch as text."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()
