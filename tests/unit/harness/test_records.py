"""Proportions and their uncertainty."""

import pytest

from proctor_harness.harnesses.records import Samples, clustered, proportion, wilson


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    # Newcombe 1998, table I, method 3.
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_is_the_published_one(successes: int, n: int, low: float, high: float) -> None:
    assert wilson(successes, n) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_all_right_is_not_certain() -> None:
    record = proportion("t", "accuracy", 1.0, Samples(5))
    assert (record.value, record.stderr) == ("1.0", "0.0")
    assert float(record.ci_low or 0) < 0.6
    assert float(record.ci_high or 0) == 1.0


def test_one_sample_has_no_standard_error() -> None:
    assert proportion("t", "accuracy", 1.0, Samples(1)).stderr is None


def test_standard_error_of_a_sample() -> None:
    assert float(proportion("t", "accuracy", 0.5, Samples(5)).stderr or 0) == pytest.approx(0.25)


def test_answers_of_one_prompt_are_not_independent() -> None:
    """Four prompts, each answered twice alike: no better known than by four answers."""
    alike = clustered("t", "pass_rate", [[1, 1], [1, 1], [1, 1], [0, 0]])
    once = proportion("t", "pass_rate", 0.75, Samples(4))
    assert (alike.n, alike.value) == (8, once.value)
    assert float(alike.stderr or 0) == pytest.approx(float(once.stderr or 0))


def test_independent_answers_are_a_plain_proportion() -> None:
    found = clustered("t", "pass_rate", [[1], [0], [1], [1]])
    assert found == proportion("t", "pass_rate", 0.75, Samples(4))


def test_where_nothing_varies_prompts_count() -> None:
    found = clustered("t", "pass_rate", [[1, 1, 1]] * 4)
    assert float(found.ci_low or 0) == pytest.approx(wilson(4, 4)[0], abs=1e-6)
