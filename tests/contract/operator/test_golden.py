"""Whole children of whole resources.

After a wanted change: `UPDATE_GOLDEN=1 python -m pytest tests/contract/operator`, then read the
difference.
"""

import os
from pathlib import Path

import pytest

from tests.contract.operator.golden import CASES, children, text

UPDATE = bool(os.environ.get("UPDATE_GOLDEN"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_children_are_as_written(case: Path) -> None:
    made, golden = text(children(case)), case / "children.yaml"
    if UPDATE:
        golden.write_text(made)
    assert made == golden.read_text()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_children_are_made_the_same_each_time(case: Path) -> None:
    assert children(case) == children(case)
