"""Decisions are numbered, have the same parts, and fit on a page."""

import re
from pathlib import Path

import pytest

from tests.docs.documents import ROOT

DECISIONS = sorted((ROOT / "docs/adr").glob("*.md"))
PARTS = ["Context", "Decision", "Alternatives", "Consequences"]
WORDS_OF_A_PAGE = 650


def test_they_are_numbered_without_a_gap() -> None:
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_has_its_parts_on_one_page(path: Path) -> None:
    text = path.read_text()
    assert text.startswith(f"# {int(path.name[:4])}. ")
    assert re.findall(rf"(?:\*\*|## )({'|'.join(PARTS)})\b", text) == PARTS
    assert len(text.split()) <= WORDS_OF_A_PAGE
