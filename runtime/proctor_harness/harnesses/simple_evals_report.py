"""simple-evals' report, ``<task>.json``, and its cache, which has every judged answer."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from proctor_crds.results import ResultRecord
from proctor_harness.harnesses.records import Samples, proportion

CACHE = "cache"
DATABASE = f"{CACHE}/cache.sqlite/cache.db"
NOT_METRICS = frozenset({"task_name", "n_repeats", "chars"})
MACRO = "score_macro"
NOTHING_FOUND = "Extracted Answer: None"
"""What the answer's page in the report says where there was none to judge."""

Item = dict[str, Any]


def records(task: str, report: Path) -> list[ResultRecord]:
    """The score over all samples, then those over parts of them; none where there is no sample."""
    database = report.parent / DATABASE
    if not report.exists() or not database.exists():
        return []
    scores: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    items = list(answers(database))
    names = [name for name in scores if ":" not in name and name not in NOT_METRICS]
    names.sort(key=lambda name: name not in {"score", MACRO})
    found = (_record(task, name, scores, items) for name in names)
    return [record for record in found if record]


def answers(database: Path) -> Iterator[Item]:
    """Every answer with its score; long ones lie in files beside the database."""
    # Immutable: a mere look must not leave a journal beside a harness's files.
    with closing(sqlite3.connect(f"file:{database}?immutable=1", uri=True)) as connection:
        for value, filename in connection.execute("SELECT value, filename FROM Cache"):
            yield json.loads((database.parent / filename).read_bytes() if filename else value)


def _record(task: str, name: str, scores: dict[str, Any], items: list[Item]) -> ResultRecord | None:
    whole = name in {"score", MACRO}
    judged = [item for item in items if item["score"] is not None]
    counted = judged if whole else [item for item in judged if name in item["metrics"]]
    if not counted:
        return None
    unextracted = sum(NOTHING_FOUND in (item["html"] or "") for item in counted)
    samples = Samples(len(counted), extraction_failures=unextracted)
    record = proportion(task, MACRO if name == MACRO else "score", scores[name], samples)
    if name == MACRO:  # a mean of means of groups, to which no proportion's interval applies
        return record.model_copy(update={"stderr": None, "ci_low": None, "ci_high": None})
    return record if whole else record.model_copy(update={"filter": name})
