"""lm-eval's ``samples_<task>_<time>.jsonl`` as item records, and the intervals that they give."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from math import isclose, isfinite
from pathlib import Path
from typing import Any

from proctor_crds.results import ResultRecord
from proctor_harness.harnesses.means import interval
from proctor_harness.items import Item

Report = dict[str, Any]
Key = tuple[str, str, str]
"""Task, metric and filter."""


def read(output_dir: Path) -> list[Item]:
    """Every sample's every metric that is a number, by task and in the harness's order."""
    newest = {_task(path): path for path in sorted(output_dir.rglob("samples_*.jsonl"))}
    return [item for task, path in newest.items() for item in _items(task, path)]


def with_intervals(
    records: Sequence[ResultRecord], report: Report, items: Sequence[Item]
) -> list[ResultRecord]:
    """The records, each that is the mean of its samples with the interval of that mean."""
    values: dict[Key, list[float]] = defaultdict(list)
    for item in items:
        values[item.task, item.metric, item.filter].append(item.value)
    return [_with_interval(record, _samples(record, report, values)) for record in records]


def _with_interval(record: ResultRecord, values: Sequence[float]) -> ResultRecord:
    if not values or not isclose(sum(values) / len(values), float(record.value), rel_tol=1e-9):
        return record  # some other statistic, such as a perplexity
    found = interval(values)
    if found is None:
        return record
    low, high = found
    return record.model_copy(update={"ci_low": f"{low:.6f}", "ci_high": f"{high:.6f}"})


def _samples(
    record: ResultRecord, report: Report, values: Mapping[Key, list[float]]
) -> Sequence[float]:
    """The values behind a record; behind a group's, those of all its tasks."""
    tasks = _leaves(record.task, report.get("group_subtasks", {}))
    return [v for task in tasks for v in values.get((task, record.metric, record.filter), [])]


def _leaves(task: str, groups: Mapping[str, Sequence[str]]) -> Iterator[str]:
    parts = groups.get(task) or []
    if not parts:
        yield task
    for part in parts:
        yield from _leaves(part, groups)


def _items(task: str, path: Path) -> Iterator[Item]:
    with path.open(encoding="utf-8") as file:
        for line in map(json.loads, file):
            for metric in line["metrics"]:
                value = line[metric]
                if isinstance(value, int | float) and isfinite(value):
                    yield Item(
                        task=task,
                        sample=str(line["doc_id"]),
                        metric=metric,
                        filter=line["filter"],
                        value=float(value),
                    )


def _task(path: Path) -> str:
    """`gsm8k` of ``samples_gsm8k_2026-11-23T23-24-50.378939.jsonl``."""
    return path.stem.removeprefix("samples_").rpartition("_")[0]
