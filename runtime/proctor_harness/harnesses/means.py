"""The uncertainty of a mean of samples, by what the samples are."""

from collections.abc import Sequence

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
    return bootstrapped(values) if varies else None


def bootstrapped(values: Sequence[float]) -> Interval:
    """Of the mean, by resampling."""
    # Heavy, and of no use to an evaluation that counts rights and wrongs.
    import numpy as np  # noqa: PLC0415
    from scipy.stats import bootstrap  # noqa: PLC0415

    found = bootstrap(
        (np.asarray(values),),
        np.mean,
        n_resamples=RESAMPLES,
        batch=BATCH,
        confidence_level=CONFIDENCE,
        rng=np.random.default_rng(SEED),
    ).confidence_interval
    return float(found.low), float(found.high)
