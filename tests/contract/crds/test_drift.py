"""What is committed is what the models generate, byte for byte."""

from pathlib import Path

import pytest

from proctor_crds.__main__ import rendered
from proctor_crds.reasons import catalogue

ROOT = Path(__file__).parents[3]
CHART = next(path.parent for path in ROOT.glob("charts/proctor/**/modeldeployments.yaml"))
DIRECTORIES = [ROOT / "crds", CHART]


@pytest.mark.parametrize("directory", DIRECTORIES, ids=["crds", "chart"])
@pytest.mark.parametrize("name", sorted(rendered()))
def test_a_committed_crd_is_the_generated_one(directory: Path, name: str) -> None:
    assert (directory / name).read_text() == rendered()[name]


@pytest.mark.parametrize("directory", DIRECTORIES, ids=["crds", "chart"])
def test_no_crd_is_left_over(directory: Path) -> None:
    assert {path.name for path in directory.glob("*.yaml")} == set(rendered())


def test_the_catalogue_of_reasons_is_the_generated_one() -> None:
    assert (ROOT / "docs/reasons.md").read_text() == catalogue()
