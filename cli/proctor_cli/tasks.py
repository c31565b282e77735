"""What can be asked: the catalogue for a person, and tasks of a run that it does not know."""

from collections.abc import Iterable, Iterator

from rich.table import Table
from rich.text import Text

from proctor_crds import catalogue
from proctor_crds.evaluation_run import EvaluationRunSpec
from proctor_crds.validation import Problem


def table(tasks: Iterable[catalogue.Task]) -> Table:
    """One row a task."""
    found = Table(box=None, pad_edge=False)
    for title in ("HARNESS", "TASK", "ENDPOINT", "NEEDS", "SAMPLES", "METRICS"):
        found.add_column(title, no_wrap=title != "METRICS")
    found.add_column("ABOUT", overflow="fold", ratio=1)
    for task in tasks:
        samples = "" if task.samples is None else str(task.samples)
        endpoints, needs = ", ".join(task.endpoint_types), ", ".join(task.needs)
        metrics = ", ".join(described(task))
        row = (task.harness, task.name, endpoints, needs, samples, metrics, about(task))
        found.add_row(*map(Text, row))  # in a plain string rich takes `[word]` for markup
    return found


def described(task: catalogue.Task) -> Iterator[str]:
    """Each metric with its unit, its range and an arrow that points to better."""
    for name in task.metrics:
        metric = catalogue.metrics()[task.harness, name]
        arrow = "↑" if metric.direction == "higher" else "↓"
        yield f"{name} {arrow} {metric.unit} {metric.low or '-∞'}..{metric.high or '∞'}"


def about(task: catalogue.Task) -> str:
    """What it is, and what NeMo Evaluator calls it."""
    nemo = f"NeMo: {', '.join(task.nemo)}" if task.nemo else ""
    return "; ".join(filter(None, [task.about, nemo]))


def problems(spec: EvaluationRunSpec) -> Iterator[Problem]:
    """Tasks that do not exist, where all of the harness's tasks are known."""
    for i, evaluation in enumerate(spec.evaluations):
        if evaluation.harness not in catalogue.COMPLETE:
            continue
        for j, name in enumerate(evaluation.tasks):
            if catalogue.find(evaluation.harness, name) is None:
                remedy = catalogue.suggestion(evaluation.harness, name)
                field = f"spec.evaluations.{i}.tasks.{j}"
                yield Problem(field, f"{evaluation.harness} has no task {name!r}: {remedy}")
