"""`python -m proctor_crds DIRECTORY...`: write the CRDs, and `docs/reasons.md` where docs/ is."""

import sys
from pathlib import Path

from proctor_crds.crdgen import crd
from proctor_crds.kinds import KINDS
from proctor_crds.reasons import catalogue
from proctor_crds.yaml_text import to_yaml

HEADER = "# Generated from crds/proctor_crds by `make generate`; do not edit.\n"


def rendered() -> dict[str, str]:
    """Each CRD's file name and text."""
    return {
        f"{kind.crd_name.split('.')[0]}.yaml": HEADER + to_yaml(crd(kind))
        for kind in KINDS.values()
    }


def main(directories: list[str]) -> None:
    """Write every generated file."""
    for directory in map(Path, directories):
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in rendered().items():
            (directory / name).write_text(text)
    Path("docs/reasons.md").write_text(catalogue())


if __name__ == "__main__":
    main(sys.argv[1:])
