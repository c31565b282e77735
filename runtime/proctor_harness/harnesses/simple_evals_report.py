"""simple-evals' report, ``<task>.json``, and its cache, which has every judged answer."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from proctor_crds.results import ResultRecord
from proctor_harness.harnesses.records import Samples, proportion
from proctor_harness.items import Item

CACHE = "cache"
DATABASE = f"{CACHE}/cache.sqlite/cache.db"
NOT_METRICS = frozenset({"task_name", "n_repeats", "chars"})
MACRO = "score_macro"
NOTHING_FOUND = "Extracted Answer: None"
"""What the answer's page in the report says where there was none to judge."""

Answer = dict[str, Any]


def records(task: str, report: Path) -> list[ResultRecord]:
    """The score over all samples, then those over parts of them; none where there is no sample."""
    database = report.parent / DATABASE
    if not report.exists() or not database.exists():
        return []
    scores: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    judged = [answer for _, answer in answers(database) if answer["score"] is not None]
    names = [name for name in scores if ":" not in name and name not in NOT_METRICS]
    names.sort(key=lambda name: name not in {"score", MACRO})
    found = (_record(task, name, scores, judged) for name in names)
    return [record for record in found if record]


def items(output_dir: Path) -> list[Item]:
    """Every answer's score, and the same by each part of the task that the question is of."""
    found = sorted(output_dir.glob(f"*/{DATABASE}"))
    return [item for path in found for item in _items(path.parents[2].name, path)]


def _items(task: str, database: Path) -> Iterator[Item]:
    for sample, answer in answers(database):
        if answer["score"] is None:
            continue
        for part, value in {"none": answer["score"], **answer["metrics"]}.items():
            yield Item(
                task=task,
                sample=sample,
                metric="score",
                filter=part,
                value=float(value),
                extraction_failure=_nothing_found(answer),
            )


def answers(database: Path) -> Iterator[tuple[str, Answer]]:
    """Every answer with its score, by its number; long ones lie in files beside the database."""
    # Immutable: a mere look must not leave a journal beside a harness's files.
    with closing(sqlite3.connect(f"file:{database}?immutable=1", uri=True)) as connection:
        rows = connection.execute("SELECT key, value, filename FROM Cache ORDER BY key + 0")
        for number, value, name in rows:
            yield number, json.loads((database.parent / name).read_bytes() if name else value)


def _record(
    task: str, name: str, scores: dict[str, Any], judged: list[Answer]
) -> ResultRecord | None:
    whole = name in {"score", MACRO}
    counted = judged if whole else [answer for answer in judged if name in answer["metrics"]]
    if not counted:
        return None
    samples = Samples(len(counted), extraction_failures=sum(map(_nothing_found, counted)))
    record = proportion(task, MACRO if name == MACRO else "score", scores[name], samples)
    if name == MACRO:  # a mean of means of groups, to which no proportion's interval applies
        return record.model_copy(update={"stderr": None, "ci_low": None, "ci_high": None})
    return record if whole else record.model_copy(update={"filter": name})


def _nothing_found(answer: Answer) -> bool:
    return NOTHING_FOUND in (answer["html"] or "")
