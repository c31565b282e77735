"""The scores that the demo must reach: those of lm-eval's own in-process `hf`."""

import json
from pathlib import Path
from typing import Any

REFERENCE = Path("demo/arithmetic/reference.json")
TOLERANCE = 1e-4


def assert_scores_are_the_reference(run: dict[str, Any]) -> None:
    """Every metric that the reference has is in the run's status, within the tolerance."""
    (evaluation,) = run["status"]["evaluations"]
    found = {
        (record["task"], f"{record['metric']},{record['filter']}"): float(record["value"])
        for record in evaluation["results"]
    }
    expected = {
        (task, metric): value
        for task, metrics in json.loads(REFERENCE.read_text()).items()
        for metric, value in metrics.items()
        if "_stderr" not in metric
    }
    assert found.keys() == expected.keys()
    wrong = {key: (found[key], expected[key]) for key in found if off(found[key], expected[key])}
    assert not wrong


def off(found: float, expected: float) -> bool:
    """Whether two scores differ by more than the tolerance."""
    return abs(found - expected) > TOLERANCE
