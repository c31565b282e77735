"""Intervals of proportions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from proctor_crds.intervals import at_confidence, samples_behind, wilson

counts = st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
confidences = st.sampled_from([0.8, 0.9, 0.95, 0.99])


@given(count=counts, confidence=confidences)
def test_wilson_is_the_library_s(count: tuple[int, int], confidence: float) -> None:
    expected = binomtest(*count).proportion_ci(confidence, method="wilson")
    assert wilson(*count, confidence) == pytest.approx((expected.low, expected.high), abs=1e-9)


@given(count=counts, confidence=confidences)
def test_an_interval_tells_how_many_samples_it_is_of(
    count: tuple[int, int], confidence: float
) -> None:
    successes, n = count
    interval = wilson(successes, n)
    assert samples_behind(successes / n, interval) == pytest.approx(n, rel=1e-3)
    expected = wilson(successes, n, confidence)
    assert at_confidence(successes / n, interval, confidence) == pytest.approx(expected, abs=1e-6)


def test_other_intervals_keep_their_shape() -> None:
    low, high = at_confidence(12.0, (11.0, 14.0), 0.99)
    assert (12 - low) * 2 == pytest.approx(high - 12)
    assert (12 - low) == pytest.approx(2.5758 / 1.96, abs=1e-4)
    assert at_confidence(12.0, (11.0, 14.0), 0.95) == (11.0, 14.0)


@pytest.mark.parametrize("interval", [(0.5, 0.5), (0.0, 1.0), (-0.1, 1.2)], ids=str)
def test_an_interval_that_tells_of_no_samples(interval: tuple[float, float]) -> None:
    assert samples_behind(0.5, interval) == 0
    low, high = at_confidence(0.5, interval, 0.9)
    assert interval[0] <= low <= 0.5 <= high <= interval[1]
