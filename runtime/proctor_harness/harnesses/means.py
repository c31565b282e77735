"""The uncertainty of a mean of samples, by what the samples are."""

from collections.abc import Sequence
from math import comb, isfinite, sqrt
from statistics import NormalDist, stdev
from typing import Any

from proctor_crds.intervals import CONFIDENCE, Interval, wilson

RESAMPLES = 2000
BATCH = 50
"""Resamples held in memory at once."""
SEED = 0
"""The same samples have the same interval."""


def interval(values: Sequence[float]) -> Interval | None:
    """The 95 % interval of a mean; none where the samples cannot tell.

    Of rights and wrongs it is Wilson's. Of other numbers it is the bias-corrected and accelerated
    bootstrap's (Efron 1987), and of numbers between 0 and 1 that are all the same, Wilson's again:
    the bootstrap would take them for certain.
    """
    if not values:
        return None
    total, n = sum(values), len(values)
    varies = min(values) < max(values)
    if set(values) <= {0.0, 1.0} or (not varies and 0 <= values[0] <= 1):
        return wilson(total, n)
    found = bootstrapped(values) if varies else None
    return found if found and all(map(isfinite, found)) else None


def spread(values: Sequence[float]) -> dict[str, str | None]:
    """Standard error and interval of a mean of independent values, as a record has them."""
    error = repr(stdev(values) / sqrt(len(values))) if len(values) > 1 else None
    found = interval(values)
    low, high = (f"{found[0]:.6f}", f"{found[1]:.6f}") if found else (None, None)
    return {"stderr": error, "ci_low": low, "ci_high": high}


def pass_at(k: int, n: int, right: int) -> float:
    """The unbiased estimate from `n` askings, of which `right` were right (Chen et al. 2021)."""
    return 1.0 - comb(n - right, k) / comb(n, k)


def bootstrapped(values: Sequence[float]) -> Interval | None:
    """Of the mean, by resampling; None where the values, not all the same, are too far apart.

    With numpy alone, which every harness brings along, and scipy not.
    """
    # Heavy, and of no use to an evaluation that counts rights and wrongs.
    import numpy as np  # noqa: PLC0415

    sample = np.asarray(values)
    means = _resampled(sample)
    mean = sample.mean()
    # As scipy has it: of the resamples that hit the mean exactly, half lie below it.
    below = ((means < mean).mean() + (means <= mean).mean()) / 2
    normal, least = NormalDist(), 1 / (2 * RESAMPLES)
    bias = normal.inv_cdf(float(np.clip(below, least, 1 - least)))
    away = sample - mean
    # Of a mean, what the jackknife gives is this.
    acceleration = float((away**3).sum() / (6 * (away**2).sum() ** 1.5))
    z = normal.inv_cdf((1 + CONFIDENCE) / 2)
    levels = [
        normal.cdf(bias + (bias + end) / (1 - acceleration * (bias + end))) for end in (-z, z)
    ]
    if not all(map(isfinite, levels)):
        return None
    low, high = np.quantile(means, levels)
    return float(low), float(high)


def _resampled(sample: Any) -> Any:
    """The means of the resamples."""
    import numpy as np  # noqa: PLC0415

    rng, n = np.random.default_rng(SEED), len(sample)
    batches = [
        sample[rng.integers(0, n, (BATCH, n))].mean(axis=1) for _ in range(RESAMPLES // BATCH)
    ]
    return np.concatenate(batches)
