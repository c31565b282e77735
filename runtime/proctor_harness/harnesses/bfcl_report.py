"""bfcl's score and result files: one JSON object a line, one file a category."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proctor_crds.results import ResultRecord
from proctor_harness.harnesses.records import Samples, proportion

NAME = re.compile(r"BFCL_v3_(\w+)_score\.json")
NO_ANSWER = "Error during inference: "
"""How bfcl writes down a request that failed, in the place of the model's answer."""


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


def _score(path: Path) -> CategoryScore:
    match = NAME.fullmatch(path.name)
    assert match, "by the pattern of the search"  # noqa: S101
    head, *wrong = _lines(path)
    result = path.parents[2] / "result" / path.parent.name / path.name.replace("_score", "_result")
    errors = sum(str(line["result"]).startswith(NO_ANSWER) for line in _lines(result))
    undecoded = sum(line.get("error_type") == "ast_decoder:decoder_failed" for line in wrong)
    return CategoryScore(
        category=match[1],
        accuracy=head["accuracy"],
        total=head["total_count"],
        errors=errors,
        # What failed was not decoded either.
        undecoded=max(0, undecoded - errors),
    )


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    return map(json.loads, path.read_text(encoding="utf-8").splitlines())
