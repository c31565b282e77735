"""An Eval-Factory image's ``results.yml``, as nemo_evaluator.api.api_dataclasses has it."""

from collections.abc import Iterator
from math import isfinite
from pathlib import Path
from typing import Any

import yaml

from proctor_crds.results import ResultRecord

Tree = dict[str, Any]


def records(report: Path) -> list[ResultRecord]:
    """Each score of each task, then of each group that is no task."""
    results = yaml.safe_load(report.read_text(encoding="utf-8"))["results"]
    tasks, groups = results.get("tasks") or {}, results.get("groups") or {}
    named = [
        *tasks.items(),
        *((name, group) for name, group in groups.items() if name not in tasks),
    ]
    return [record for name, result in named for record in _of(name, result)]


def _of(name: str, result: Tree) -> Iterator[ResultRecord]:
    for metric, found in (result.get("metrics") or {}).items():
        for score, content in found["scores"].items():
            if number(content["value"]) and (content.get("stats") or {}).get("count") != 0:
                yield _record(name, metric, score, content)
    for part, below in (result.get("groups") or {}).items():
        yield from _of(part, below)


def number(found: Any) -> str | None:
    """The number as text; None of what says nothing, as numpy's deviation of a single sample."""
    return repr(float(found)) if found is not None and isfinite(float(found)) else None


def _record(name: str, metric: str, score: str, content: Tree) -> ResultRecord:
    """What a framework does not say stays unsaid: most give no count, none a direction."""
    stats = content.get("stats") or {}
    return ResultRecord(
        task=name,
        metric=metric,
        filter="none" if score == metric else score,
        value=repr(float(content["value"])),
        stderr=number(stats.get("stderr")),
        n=stats.get("count"),
    )
