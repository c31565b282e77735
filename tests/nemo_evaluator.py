"""NeMo Evaluator as its users have it: an environment of its own, made once per machine."""

import shutil
import subprocess
import sys
from pathlib import Path

from uv import find_uv_bin

from tests.provider.errors import UnavailableError
from tests.provider.paths import cache

VERSION = "0.2.8"
ENVIRON = {"NEMO_EVALUATOR_TELEMETRY_LEVEL": "0"}
"""It reports home otherwise."""


def python() -> Path:
    """Its interpreter; raises UnavailableError where it cannot be installed."""
    root = cache() / "nemo-evaluator" / VERSION
    found = root / "bin" / "python"
    if not (root / ".complete").exists():
        shutil.rmtree(root, ignore_errors=True)
        root.parent.mkdir(parents=True, exist_ok=True)
        uv = find_uv_bin()
        run(uv, "venv", "--quiet", "--python", sys.executable, str(root))
        run(uv, "pip", "install", "--quiet", "--python", str(found), f"nemo-evaluator=={VERSION}")
        (root / ".complete").touch()
    return found


def run(*argv: str) -> None:
    """Run a step of the installation."""
    ended = subprocess.run(argv, capture_output=True, text=True, check=False)
    if ended.returncode:
        last = (ended.stderr or ended.stdout).strip().splitlines()[-1:]
        raise UnavailableError(f"nemo-evaluator {VERSION} cannot be installed: {' '.join(last)}")
