"""Amounts, however they are spelt."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor_operator.quantity import amount, same


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, "1"),
        ("1000m", "1"),
        ("0.5", "500m"),
        (".5", 0.5),
        ("1.", "1"),
        ("1024Mi", "1Gi"),
        ("1e3", "1k"),
        ("2E", "2000P"),
        ("1E3", "1000"),
        ("0", "0Gi"),
        ("100n", "0.1u"),
    ],
)
def test_two_spellings_of_an_amount_are_the_same(one: Any, other: Any) -> None:
    assert same(one, other)
    assert same(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [("1", "2"), ("1G", "1Gi"), ("1m", "1M"), ("1", None), ("x", "x"), ("", ""), ({}, {})],
)
def test_what_is_another_amount_or_none_is_not_the_same(one: Any, other: Any) -> None:
    assert not same(one, other)


@pytest.mark.parametrize("written", ["", ".", "-", "1.2.3", "Gi", "1 Gi", "1gi", "one", None, []])
def test_what_is_no_amount_is_none(written: Any) -> None:
    assert amount(written) is None


@given(st.integers(0, 10**6), st.sampled_from(["m", "", "k", "Mi", "Gi"]))
def test_an_amount_in_thousandths_is_itself(number: int, suffix: str) -> None:
    whole = amount(f"{number}{suffix}")
    assert whole is not None
    assert same(f"{int(whole * 1000)}m", f"{number}{suffix}")
    assert whole >= Decimal(0)
