"""bigcode's reports: exact matches by language, and pass@k with the verdicts that it is made of."""

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from proctor_crds.results import ResultRecord
from proctor_harness.harnesses.bigcode_sandboxed import VERDICTS_FILE
from proctor_harness.harnesses.records import Samples, clustered, proportion

PREFIX = "pass@"


def read(path: Path) -> dict[str, Any]:
    """A JSON file, or nothing where there is none."""
    if not path.exists():
        return {}
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def records(task: str, folder: Path, counts: dict[str, int]) -> list[ResultRecord]:
    """The task's scores; none where bigcode left none."""
    report = read(folder / "metrics.json").get(task, {})
    if not report or not counts:
        return []
    if f"{PREFIX}1" in report:
        return list(_passes(task, report, list(_verdicts(folder / VERDICTS_FILE))))
    return list(_matches(task, report, counts))


def _matches(task: str, report: dict[str, float], counts: dict[str, int]) -> Iterator[ResultRecord]:
    """A language without a sample has a value too, which is no score."""
    for language, n in counts.items():
        value = report[f"{language} Exact Match"]
        record = proportion(task, "exact_match", value, Samples(n))
        yield record.model_copy(update={"filter": language})


def _passes(
    task: str, report: dict[str, float], problems: list[list[float]]
) -> Iterator[ResultRecord]:
    """Unbiased estimates, bigcode's own; pass@1's error knows which answers share a problem."""
    n = sum(map(len, problems))
    for name, value in report.items():
        if not name.removeprefix(PREFIX).isdecimal():
            continue
        if name == f"{PREFIX}1":
            record = clustered(task, name, problems)
        else:
            # A mean over problems of numbers between 0 and 1.
            record = proportion(task, name, value, Samples(len(problems)))
        yield record.model_copy(update={"value": repr(value), "n": n})


def _verdicts(path: Path) -> Iterator[list[float]]:
    """By problem, which of its answers passed (1) and which not (0)."""
    found: dict[int, list[float]] = defaultdict(list)
    for line in path.read_text(encoding="utf-8").splitlines():
        verdict = json.loads(line)
        found[verdict["task_id"]].append(float(verdict["passed"]))
    yield from found.values()
