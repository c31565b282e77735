"""Scores as lm-eval reports them, and their comparison."""

from typing import Any

TASKS = ("arithmetic_mc", "arithmetic_gen", "arithmetic_ppl")

Scores = dict[str, dict[str, float]]
"""By task, then by lm-eval's own name of the metric and its filter ("acc,none")."""


def scores(report: dict[str, Any]) -> Scores:
    """Keep the numbers of lm-eval's report, under its own names ("metric,filter")."""
    return {
        task: {
            name: value
            for name, value in sorted(report["results"][task].items())
            if "," in name and isinstance(value, float)
        }
        for task in TASKS
    }


def differences(actual: Scores, expected: Scores, tolerance: float) -> list[str]:
    """Name the scores that are not where they should be."""
    mine, theirs = flatten(actual), flatten(expected)
    absent = float("nan")
    return [
        f"{name}: {mine.get(name)} instead of {theirs.get(name)}"
        for name in sorted({*mine, *theirs})
        # Not ">", for nothing compares to what is absent.
        if not abs(mine.get(name, absent) - theirs.get(name, absent)) <= tolerance
    ]


def flatten(nested: Scores) -> dict[str, float]:
    """Put the task's name before each metric's."""
    return {f"{task} {name}": value for task, of in nested.items() for name, value in of.items()}
