"""The tasks of each harness and the metrics that they report: ``tasks/*.tsv``, read once.

Made from the harnesses' own releases, so a harness of another version has other tasks.
"""

import csv
import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, cast

from proctor_crds.base import Decimal

COMPLETE = frozenset({"bfcl", "bigcode", "garak", "safety-harness", "simple-evals"})
"""Harnesses all of whose tasks are listed. lm-eval has 14,000, and everybody's own YAML."""

Unit = Literal["proportion", "percent", "bits", "perplexity"]
EndpointType = Literal["completions", "chat"]
NEEDS = {
    "logprobs": "log-probabilities of the prompt, from a completions endpoint",
    "tools": "an endpoint that calls tools",
    "judge": "a second model that judges the answers",
    "sandbox": "a sandbox, because code that the model wrote is executed",
    "toolchain": "compilers or libraries of its own for that code",
}
"""What a task may need beyond an endpoint that answers."""


@dataclass(frozen=True, slots=True)
class Metric:
    """What one number of a harness means."""

    harness: str
    name: str
    unit: Unit
    direction: Literal["higher", "lower"]
    low: Decimal | None
    """Least value that it can have, where there is one."""
    high: Decimal | None
    """Greatest value that it can have, where there is one."""


@dataclass(frozen=True, slots=True)
class Task:
    """What can be asked of a harness."""

    harness: str
    name: str
    """The harness's own name: what `tasks` of an evaluation takes."""
    endpoint_types: tuple[EndpointType, ...]
    needs: tuple[str, ...]
    """Keys of `NEEDS`."""
    samples: int | None
    """Samples in all, where the harness brings them along."""
    metrics: tuple[str, ...]
    groups: tuple[str, ...]
    """Tasks that stand for this one and others."""
    nemo: tuple[str, ...]
    """Names under which NeMo Evaluator has the task."""
    about: str


@cache
def tasks(harness: str | None = None) -> tuple[Task, ...]:
    """Every task, or those of one harness."""
    return tuple(task for task in map(_task, _rows("tasks")) if harness in (None, task.harness))


@cache
def metrics() -> dict[tuple[str, str], Metric]:
    """Every metric, by harness and name."""
    found = map(_metric, _rows("metrics"))
    return {(metric.harness, metric.name): metric for metric in found}


def find(harness: str, name: str) -> Task | None:
    """The task of that name."""
    return next((task for task in tasks(harness) if task.name == name), None)


def members(harness: str, name: str) -> list[Task]:
    """The tasks that the task of that name stands for; none where it stands for itself."""
    return [task for task in tasks(harness) if name in task.groups]


def search(words: str, harness: str | None = None) -> list[Task]:
    """The tasks in whose names or descriptions every word appears."""
    wanted = words.lower().split()
    return [task for task in tasks(harness) if all(word in _text(task) for word in wanted)]


def near(harness: str, name: str) -> list[str]:
    """The task names that look like `name`; NeMo's name for a task is as good as its own."""
    renamed = [task.name for task in tasks(harness) if name in task.nemo]
    close = difflib.get_close_matches(name, [task.name for task in tasks(harness)], n=5)
    return list(dict.fromkeys([*renamed, *close]))


def suggestion(harness: str, name: str) -> str:
    """What to tell who asked for a task that does not exist."""
    found = near(harness, name)
    meant = f"did you mean {', '.join(found)}?" if found else "there is no such task"
    return f"{meant} proctor tasks --harness {harness} lists all"


def _text(task: Task) -> str:
    return " ".join([task.harness, task.name, *task.nemo, *task.needs, task.about]).lower()


def _rows(table: str) -> Iterator[dict[str, str]]:
    text = (files("proctor_crds") / "tasks" / f"{table}.tsv").read_text(encoding="utf-8")
    return csv.DictReader(text.splitlines(), delimiter="\t")


def _task(row: dict[str, str]) -> Task:
    return Task(
        harness=row["harness"],
        name=row["task"],
        endpoint_types=cast("tuple[EndpointType, ...]", tuple(row["endpoints"].split())),
        needs=tuple(row["needs"].split()),
        samples=int(row["samples"]) if row["samples"] else None,
        metrics=tuple(row["metrics"].split()),
        groups=tuple(row["groups"].split()),
        nemo=tuple(row["nemo"].split()),
        about=row["about"],
    )


def _metric(row: dict[str, str]) -> Metric:
    return Metric(
        harness=row["harness"],
        name=row["metric"],
        unit=cast("Unit", row["unit"]),
        direction=cast("Literal['higher', 'lower']", row["direction"]),
        low=row["low"] or None,
        high=row["high"] or None,
    )
