"""Every reason means something, and something gives it."""

from pathlib import Path

import pytest

from proctor_crds.reasons import EXPLANATIONS, Reason, catalogue

ROOT = Path(__file__).parents[3]
SOURCES = ("operator", "runtime/proctor_runtime", "runtime/proctor_harness")
TEXTS = [path.read_text() for source in SOURCES for path in (ROOT / source).rglob("*.py")]


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_is_explained_in_sentences(reason: Reason) -> None:
    assert all(text.endswith(".") for text in EXPLANATIONS[reason])


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_is_given_by_someone(reason: Reason) -> None:
    words = (f"Reason.{reason.name}", f'"{reason}"')
    assert any(word in text for text in TEXTS for word in words)


def test_nothing_else_is_explained() -> None:
    assert set(EXPLANATIONS) == set(Reason)


def test_a_reason_is_one_word() -> None:
    assert [reason for reason in Reason if not str(reason).isalnum()] == []


def test_the_catalogue_has_a_row_for_each() -> None:
    assert [f"| `{reason}` |" in catalogue() for reason in Reason] == [True] * len(Reason)
