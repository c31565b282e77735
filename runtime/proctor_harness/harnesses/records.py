"""Metric records with the uncertainty that their kind of metric has."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from proctor_crds.intervals import wilson
from proctor_crds.results import ResultRecord


@dataclass(frozen=True, slots=True)
class Samples:
    """What a score is computed from."""

    n: int
    errors: int = 0
    """Of them, those that the target did not answer."""
    extraction_failures: int = 0
    """Of them, those in whose answer there was nothing to judge."""


def proportion(task: str, metric: str, value: float, samples: Samples) -> ResultRecord:
    """A mean of samples that each are right or wrong; higher is better."""
    n = samples.n
    low, high = wilson(value * n, n)
    return ResultRecord(
        task=task,
        metric=metric,
        value=repr(value),
        stderr=repr(sqrt(value * (1 - value) / (n - 1))) if n > 1 else None,
        ci_low=f"{low:.6f}",
        ci_high=f"{high:.6f}",
        n=n,
        errors=samples.errors or None,
        extraction_failures=samples.extraction_failures or None,
        direction="higher",
    )


def clustered(task: str, metric: str, groups: Sequence[Sequence[float]]) -> ResultRecord:
    """A mean of rights (1) and wrongs (0) that come in groups, such as several answers to a prompt.

    The standard error is the cluster-robust one (Liang and Zeger 1986). The interval is Wilson's
    for as many samples as independent ones would have that error; where nothing varies, for as many
    as there are groups.
    """
    n, size = sum(map(len, groups)), len(groups)
    mean = sum(map(sum, groups)) / n
    record = proportion(task, metric, mean, Samples(n))
    if n == size or size < 2:
        return record
    spread = sum((sum(group) - mean * len(group)) ** 2 for group in groups)
    error = sqrt(spread * size / (size - 1)) / n
    effective = min(n, mean * (1 - mean) / error**2) if error else size
    low, high = wilson(mean * effective, effective)
    return record.model_copy(
        update={"stderr": repr(error), "ci_low": f"{low:.6f}", "ci_high": f"{high:.6f}"}
    )


def uncertainty(record: ResultRecord, scale: float = 1.0) -> dict[str, str | None]:
    """Standard error and interval of a record, in units that are that much smaller."""
    found = {name: getattr(record, name) for name in ("stderr", "ci_low", "ci_high")}
    if scale == 1.0:
        return found
    return {name: text and repr(float(text) * scale) for name, text in found.items()}
