"""Confidence intervals of proportions, which both ends of a run work with."""

from math import sqrt
from statistics import NormalDist

Interval = tuple[float, float]
CONFIDENCE = 0.95
"""Of the intervals in records."""


def quantile(confidence: float) -> float:
    """Of the standard normal distribution, what cuts off half of the rest on either side."""
    return NormalDist().inv_cdf((1 + confidence) / 2)


def wilson(successes: float, n: float, confidence: float = CONFIDENCE) -> Interval:
    """The interval of a proportion (Wilson 1927), which holds at 0, at 1 and for few samples.

    `successes` may be a sum of scores between 0 and 1: the interval is then wider than need be.
    """
    p, z = successes / n, quantile(confidence)
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def samples_behind(p: float, interval: Interval) -> float:
    """As many independent samples as make Wilson's 95 % interval of `p` so wide; 0 if none do.

    With t = z²/n and w the width, w (1 + t) = 2 √(p (1 - p) t + t²/4): a quadratic in t.
    """
    width = interval[1] - interval[0]
    if not 0 < width < 1:
        return 0.0
    a, b, c = width**2 - 1, 2 * width**2 - 4 * p * (1 - p), width**2
    t = (-b - sqrt(b * b - 4 * a * c)) / (2 * a)
    return quantile(CONFIDENCE) ** 2 / t


def at_confidence(value: float, interval: Interval, confidence: float) -> Interval:
    """A 95 % interval at another confidence.

    Of a proportion, Wilson's for as many samples as it tells of; else with margins that grow as a
    normal distribution's do.
    """
    if confidence == CONFIDENCE:
        return interval
    low, high = interval
    # What is rounded to six digits may lie that far beside its value.
    proportion = 0 <= low <= value + 1e-6 and value - 1e-6 <= high <= 1
    n = samples_behind(value, interval) if proportion else 0.0
    if n:
        return wilson(value * n, n, confidence)
    scale = quantile(confidence) / quantile(CONFIDENCE)
    return value - (value - low) * scale, value + (high - value) * scale
