"""bigcode's reports: exact matches by language, and pass@k, with the verdicts they are made of."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from proctor_crds.results import ResultRecord
from proctor_harness.harnesses import json_lines
from proctor_harness.harnesses.bigcode_guarded import REFERENCES_FILE
from proctor_harness.harnesses.bigcode_sandboxed import VERDICTS_FILE
from proctor_harness.harnesses.means import pass_at, spread
from proctor_harness.harnesses.records import clustered
from proctor_harness.items import Item

PREFIX = "pass@"
MATCH = "exact_match"


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
        return list(_passes(task, report, list(_grouped(_verdicts(task, folder)))))
    return list(_matches(task, report, counts, list(_matched(task, folder))))


def items(output_dir: Path) -> list[Item]:
    """Every answer to every problem; those to one problem are a group."""
    found = sorted(path.parent for path in output_dir.glob("*/metrics.json"))
    return [item for folder in found for item in _items(folder.name, folder)]


def _items(task: str, folder: Path) -> Iterator[Item]:
    judged = (folder / VERDICTS_FILE).exists()
    return _verdicts(task, folder) if judged else _matched(task, folder)


def _matches(
    task: str, report: dict[str, float], counts: dict[str, int], matched: list[Item]
) -> Iterator[ResultRecord]:
    """A language without a sample has a value too, which is no score."""
    for language, n in counts.items():
        value = report[f"{language} Exact Match"]
        groups = list(_grouped(item for item in matched if item.filter == language))
        record = clustered(task, MATCH, groups)
        yield record.model_copy(update={"filter": language, "value": repr(value), "n": n})


def _passes(
    task: str, report: dict[str, float], problems: list[list[float]]
) -> Iterator[ResultRecord]:
    """Unbiased estimates, bigcode's own; pass@1's error knows which answers share a problem."""
    n = sum(map(len, problems))
    for name, value in report.items():
        k = name.removeprefix(PREFIX)
        if not k.isdecimal():
            continue
        record = clustered(task, name, problems)
        if k != "1":
            estimates = [pass_at(int(k), len(p), int(sum(p))) for p in problems]
            record = record.model_copy(update=spread(estimates))
        yield record.model_copy(update={"value": repr(value), "n": n})


def _verdicts(task: str, folder: Path) -> Iterator[Item]:
    """Of each program whether it passed; they were executed in any order."""
    lines = json_lines.read(folder / VERDICTS_FILE)
    for line in sorted(lines, key=lambda line: (line["task_id"], line["completion_id"])):
        yield Item(
            task=task,
            sample=f"{line['task_id']}.{line['completion_id']}",
            group=str(line["task_id"]),
            metric=f"{PREFIX}1",
            value=float(line["passed"]),
        )


def _matched(task: str, folder: Path) -> Iterator[Item]:
    """Of each answer whether it is the reference, as bigcode compares them."""
    answers = json.loads((folder / "predictions.json").read_text(encoding="utf-8"))
    references = json.loads((folder / REFERENCES_FILE).read_text(encoding="utf-8"))
    for problem, (texts, expected) in enumerate(zip(answers, references, strict=True)):
        for number, text in enumerate(texts):
            yield Item(
                task=task,
                sample=f"{problem}.{number}",
                group=str(problem),
                metric=MATCH,
                filter=expected["language"],
                value=float(text.strip() == expected["reference"].strip()),
            )


def _grouped(items: Iterable[Item]) -> Iterator[list[float]]:
    """By problem, which of its answers are right (1) and which not (0)."""
    found: dict[str, list[float]] = defaultdict(list)
    for item in items:
        found[item.cluster].append(item.value)
    yield from found.values()
