"""lm-eval's ``results_<time>.json`` as result records."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from proctor_crds.results import ResultRecord
from proctor_harness.harnesses.protocol import NoReportError

Report = dict[str, Any]
STDERR = "_stderr"


def newest_report(output_dir: Path) -> Report:
    """Read the newest report below a directory."""
    reports = sorted(output_dir.rglob("results_*.json"), key=lambda path: path.stat().st_mtime)
    if not reports:
        raise NoReportError(f"lm-eval wrote no results_*.json below {output_dir}")
    report: Report = json.loads(reports[-1].read_text(encoding="utf-8"))
    return report


def records(report: Report) -> list[ResultRecord]:
    """One record per task, metric and filter.

    Groups come with their aggregates. What was asked for comes before what it consists of, so that
    a reader with room for a few records gets the headlines.
    """
    parts = {child for children in report["group_subtasks"].values() for child in children}
    tasks = sorted(report["results"], key=lambda task: task in parts)
    return [record for task in tasks for record in _task_records(report, task)]


def _task_records(report: Report, task: str) -> Iterator[ResultRecord]:
    scores = report["results"][task]
    for key, value in scores.items():
        metric, comma, filter_ = key.rpartition(",")
        if not comma or metric.endswith(STDERR) or not _is_score(value):
            continue
        n = _samples(report, task, key)
        if n == 0:  # lm-eval prints a number all the same
            continue
        stderr = scores.get(f"{metric}{STDERR},{filter_}")
        yield ResultRecord(
            task=task,
            metric=metric,
            filter=filter_,
            value=repr(value),
            stderr=repr(stderr) if _is_score(stderr) else None,
            n=n,
            direction=_direction(report, task, metric),
        )


def _is_score(value: object) -> bool:
    """Whether it is a number; lm-eval also writes "N/A", and NaN for the mean of nothing."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value)  # type: ignore[arg-type]


def _samples(report: Report, task: str, key: str) -> int:
    """The samples behind a score; a group counts those of the tasks that have the metric."""
    if counts := report["n-samples"].get(task):
        return int(counts["effective"])
    return int(report["results"][task].get("sample_count", {}).get(key, 0))


def _direction(report: Report, task: str, metric: str) -> Literal["higher", "lower"] | None:
    higher = report["higher_is_better"].get(task, {}).get(metric)
    if higher is None:
        return None
    return "higher" if higher else "lower"
