"""What each harness's own report says, read from its files without anything of ours."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml


class Own(NamedTuple):
    """One score of a harness's report."""

    task: str
    metric: str
    value: float
    n: int | None
    """Samples; None where the report does not say."""


def lm_eval(folder: Path) -> list[Own]:
    """`results_<time>.json`: a metric and its filter are one key."""
    [path] = folder.glob("lm-eval/**/results_*.json")
    report = json.loads(path.read_text())
    return [
        Own(task, key.partition(",")[0], value, report["n-samples"][task]["effective"])
        for task, scores in report["results"].items()
        for key, value in scores.items()
        if "," in key and "_stderr" not in key
    ]


def bfcl(folder: Path) -> list[Own]:
    """The first line of each category's scores."""
    heads = {path: first_line(path) for path in folder.glob("bfcl/score/*/BFCL_v3_*_score.json")}
    return [
        Own(category(path), "accuracy", head["accuracy"], head["total_count"])
        for path, head in heads.items()
    ]


def category(path: Path) -> str:
    return path.name.removeprefix("BFCL_v3_").removesuffix("_score.json")


def first_line(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text().splitlines()[0])
    return found


def bigcode(folder: Path) -> list[Own]:
    """Its metrics, and of the generations how many there are."""
    found = []
    for path in folder.glob("bigcode/*/metrics.json"):
        task = path.parent.name
        n = len((path.parent / "verdicts.jsonl").read_text().splitlines())
        scores = json.loads(path.read_text())[task]
        found += [Own(task, k, v, n) for k, v in scores.items() if not k.endswith("_stderr")]
    return found


def simple_evals(folder: Path) -> list[Own]:
    """One file a task, which does not say of how many questions."""
    paths = [path for path in folder.glob("simple-evals/*/*.json") if path.stem == path.parent.name]
    scores = {path.stem: json.loads(path.read_text())["score"] for path in paths}
    return [Own(task, "score", value, None) for task, value in scores.items()]


def garak(folder: Path) -> list[Own]:
    """The `eval` lines of each task's report."""
    rows = [
        json.loads(line)
        for path in folder.glob("garak/*.report.jsonl")
        for line in path.read_text().splitlines()
    ]
    return [
        Own(row["probe"], "pass_rate", row["passed"] / row["total_evaluated"], n)
        for row in rows
        if row["entry_type"] == "eval" and (n := row["total_evaluated"])
    ]


def safety_harness(folder: Path) -> list[Own]:
    """Counts of verdicts, of which one is a failure to read it."""
    found = []
    for path in folder.glob("safety-harness/*/metrics.json"):
        metrics = json.loads(path.read_text())
        counts = [n for name, n in metrics.items() if not name.startswith("percentage")]
        value = metrics["safe"] / sum(counts)
        found.append(Own(path.parent.name, "safety_rate", value, int(sum(counts))))
    return found


def container(folder: Path) -> list[Own]:
    """`results.yml`, whose counts most frameworks leave out."""
    tasks: dict[str, Any] = {}
    for path in folder.glob("container/*/results.yml"):
        tasks |= yaml.safe_load(path.read_text())["results"]["tasks"]
    return [
        Own(task, metric, score["value"], (score.get("stats") or {}).get("count"))
        for task, result in tasks.items()
        for metric, found in result["metrics"].items()
        for score in found["scores"].values()
    ]


READERS: Mapping[str, Callable[[Path], list[Own]]] = {
    "lm-eval": lm_eval,
    "bfcl": bfcl,
    "bigcode": bigcode,
    "simple-evals": simple_evals,
    "garak": garak,
    "safety-harness": safety_harness,
    "container": container,
}
