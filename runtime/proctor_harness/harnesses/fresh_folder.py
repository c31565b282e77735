"""Run in the harness's environment: a module whose output folder must be there before it is."""

import runpy
import sys
from pathlib import Path


def main() -> None:
    """``fresh_folder FOLDER MODULE ARGUMENT...``."""
    _, folder, module, *_ = sys.argv
    Path(folder).mkdir(parents=True, exist_ok=True)
    del sys.argv[:2]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
