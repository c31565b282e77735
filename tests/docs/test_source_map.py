"""ARCHITECTURE.md's source map is complete, and true."""

from pathlib import Path

import pytest

from tests.docs.documents import ROOT, tokens

PARTS = ("operator", "runtime", "crds", "cli")
ARCHITECTURE = ROOT / "ARCHITECTURE.md"


def mapped() -> list[str]:
    """The first column of the last table."""
    blocks = tokens(ARCHITECTURE)
    begin = max(i for i, token in enumerate(blocks) if token.type == "table_open")
    rows = [i for i, token in enumerate(blocks) if token.type == "tr_open" and i > begin]
    return [blocks[row + 2].content.strip("`") for row in rows[1:]]


def packages() -> list[Path]:
    """Every Python package of a part, and the packages directly in it."""
    inits = (init for part in PARTS for init in (ROOT / part).glob("**/__init__.py"))
    found = {init.parent.relative_to(ROOT) for init in inits}
    return sorted(package for package in found if len(package.parts) <= 3)


MAP = mapped()


@pytest.mark.parametrize("path", MAP)
def test_a_path_of_the_map_exists(path: str) -> None:
    assert (ROOT / path).is_dir() if path.endswith("/") else (ROOT / path).is_file()


@pytest.mark.parametrize("package", packages(), ids=str)
def test_a_package_is_in_the_map(package: Path) -> None:
    inside = [path for path in MAP if path.startswith(f"{package}/")]
    assert inside, f"{package}/ is missing in ARCHITECTURE.md's source map"
    if len(package.parts) > 2:
        assert f"{package}/" in MAP, f"{package}/ is missing in ARCHITECTURE.md's source map"


def test_the_map_names_nothing_twice() -> None:
    assert len(MAP) == len(set(MAP)) > 20
