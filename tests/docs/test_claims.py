"""What the documentation says about the project is what the project says about itself."""

import json
import re
import tomllib

import pytest

from proctor_crds.kinds import KINDS
from proctor_crds.reasons import ConditionType, Reason
from tests.docs.documents import DOCUMENTS, ROOT, Piece, inline_code, snippets

README = ROOT / "README.md"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONDITION = re.compile(r"(?P<type>[A-Z]\w+)=(True|False|Unknown)(?: (?P<reason>[A-Z]\w+))?")
CONDITIONS = [
    (code, match)
    for page in DOCUMENTS
    for code in inline_code(page)
    if (match := CONDITION.fullmatch(code.text))
]


def tables() -> list[list[list[str]]]:
    """What `kubectl get` prints in the README: for each table its rows of cells."""
    blocks = [block for text in snippets(README, "text") for block in text.text.split("\n\n")]
    shown = [block for block in blocks if block.startswith("NAME ")]
    return [[re.split(r" {2,}", row) for row in block.strip().splitlines()] for block in shown]


def test_the_readme_shows_the_columns_of_kubectl_get() -> None:
    printed = [
        ["NAME", *(column.name.upper() for column in kind.columns if not column.priority)]
        for kind in KINDS.values()
    ]
    assert [table[0] for table in tables()] == printed


def test_the_readme_shows_a_value_for_each_column() -> None:
    for header, *rows in tables():
        assert rows
        for row in rows:
            cells = dict(zip(header, row, strict=True))
            assert cells.get("REASON", Reason.FINISHED) in set(Reason)


def test_the_readme_shows_the_demos_score() -> None:
    reference = json.loads((ROOT / "demo/arithmetic/reference.json").read_text())["arithmetic_mc"]
    _, [header, row] = tables()
    shown = dict(zip(header, row, strict=True))["SCORE"]
    assert shown == f"{reference['acc,none']:.4f} ± {reference['acc_stderr,none']:.4f}"


@pytest.mark.parametrize(("place", "match"), CONDITIONS, ids=[str(at) for at, _ in CONDITIONS])
def test_a_condition_that_is_named_exists(place: Piece, match: re.Match[str]) -> None:
    assert match["type"] in set(ConditionType), f"{place}: no condition {match['type']}"
    assert match["reason"] in {None, *Reason}, f"{place}: no reason {match['reason']}"


def test_conditions_are_found_at_all() -> None:
    assert len(CONDITIONS) > 10


def test_the_readme_names_the_python_that_the_project_requires() -> None:
    assert PROJECT["project"]["requires-python"] == ">=3.11,<3.13"
    assert "Python 3.11 or 3.12" in README.read_text()


def test_the_readme_names_the_lm_eval_that_is_installed() -> None:
    [pin] = [one for one in PROJECT["project"]["optional-dependencies"]["lm-eval"] if "==" in one]
    assert f"lm-eval {pin.partition('==')[2]}" in README.read_text()


def test_every_folder_of_tests_is_explained() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    for folder in (ROOT / "tests").glob("*/"):
        if any(folder.glob("**/test_*.py")):
            assert f"`tests/{folder.name}`" in text, f"CONTRIBUTING.md: explain tests/{folder.name}"
