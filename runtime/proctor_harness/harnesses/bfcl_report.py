"""bfcl's score and result files: one JSON object a line, one file a category."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proctor_crds.results import ResultRecord
from proctor_harness.harnesses import json_lines
from proctor_harness.harnesses.records import Samples, proportion
from proctor_harness.items import Item

NAME = re.compile(r"BFCL_v3_(\w+)_score\.json")
NO_ANSWER = "Error during inference: "
"""How bfcl writes down a request that failed, in the place of the model's answer."""
UNDECODED = "ast_decoder:decoder_failed"
"""How bfcl calls an answer in which it found no function call to compare."""


@dataclass(frozen=True, slots=True)
class CategoryScore:
    """What bfcl makes of one category."""

    category: str
    accuracy: float
    total: int
    errors: int
    """Requests without an answer."""
    undecoded: int
    """Answers in which bfcl found no function call to compare."""


def scores(output_dir: Path) -> dict[str, CategoryScore]:
    """Every category that was judged."""
    found = output_dir.glob("score/*/BFCL_v3_*_score.json")
    return {score.category: score for score in map(_score, found)}


def doubt(category: str, score: CategoryScore | None) -> str:
    """Why a category's score is none; empty where it is one."""
    if score is None or not score.total:
        return "bfcl judged no answer"
    if score.errors and "irrelevance" in category:
        return f"{score.errors} requests failed, and bfcl takes a failure for a right answer here"
    return ""


def record(score: CategoryScore) -> ResultRecord:
    """The category's accuracy, as bfcl wrote it."""
    samples = Samples(score.total, score.errors, score.undecoded)
    return proportion(score.category, "accuracy", score.accuracy, samples)


def items(output_dir: Path) -> list[Item]:
    """Every answer; of those that were wrong the score file has an entry."""
    found = sorted(output_dir.glob("score/*/BFCL_v3_*_score.json"))
    return [item for path in found for item in _items(path)]


def _items(path: Path) -> Iterator[Item]:
    _, *wrong = json_lines.read(path)
    errors = {line["id"]: line.get("error_type") for line in wrong}
    for line in _results(path):
        error = _unanswered(line)
        yield Item(
            task=_category(path),
            sample=line["id"],
            metric="accuracy",
            value=float(line["id"] not in errors),
            error=error,
            # What failed was not decoded either.
            extraction_failure=not error and errors.get(line["id"]) == UNDECODED,
        )


def _score(path: Path) -> CategoryScore:
    head, *_ = json_lines.read(path)
    judged = list(_items(path))
    return CategoryScore(
        category=_category(path),
        accuracy=head["accuracy"],
        total=head["total_count"],
        errors=sum(item.error for item in judged),
        undecoded=sum(item.extraction_failure for item in judged),
    )


def _category(score: Path) -> str:
    match = NAME.fullmatch(score.name)
    assert match, "by the pattern of the search"  # noqa: S101
    return match[1]


def _results(score: Path) -> Iterator[dict[str, Any]]:
    folder = score.parents[2] / "result" / score.parent.name
    return json_lines.read(folder / score.name.replace("_score", "_result"))


def _unanswered(line: dict[str, Any]) -> bool:
    return str(line["result"]).startswith(NO_ANSWER)
