"""A CPython of this machine that can be copied into an image."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.provider.errors import UnavailableError

MINOR = "3.11"
_DESCRIBE = """
import json, sys, sysconfig
print(json.dumps({
    "prefix": sys.base_prefix,
    "version": sys.version,
    "minor": "%d.%d" % sys.version_info[:2],
    "shared": bool(sysconfig.get_config_var("Py_ENABLE_SHARED")),
}))
"""
# Tests, caches and static libraries are two thirds of an installation; packages are the image's.
_LEFT_OUT = shutil.ignore_patterns(
    "__pycache__", "site-packages", "test", "tests", "idlelib", "tkinter", "config-3*"
)


@dataclass(frozen=True)
class Interpreter:
    """An installation, as it describes itself."""

    prefix: str
    version: str
    minor: str
    shared: bool

    @property
    def fits(self) -> bool:
        """Triton embeds Python, so libpython must be there, of the very build that the image runs.

        Debian's own lies in /usr, mixed with all else, and looks for packages elsewhere.
        """
        return self.minor == MINOR and self.shared and self.prefix != "/usr"


def choose(candidates: Iterable[Interpreter]) -> Interpreter:
    """The first that fits."""
    seen = []
    for candidate in candidates:
        if candidate.fits:
            return candidate
        seen.append(candidate)
    raise UnavailableError(
        f"no CPython {MINOR} with a shared libpython outside /usr to copy into the base image "
        f"(seen: {', '.join(each.prefix for each in seen) or 'none'}): "
        f"put one first on PATH, or start Docker"
    )


def find() -> Interpreter:
    """One of this machine: the one that runs us, or a python3.11 on PATH."""
    names = (sys.executable, f"python{MINOR}", f"/usr/local/bin/python{MINOR}")
    return choose(found for name in names if (found := _describe(name)))


def copy(interpreter: Interpreter, target: Path) -> None:
    """Copy it as an installation below /usr/local."""
    prefix, library = Path(interpreter.prefix), f"lib/python{MINOR}"
    for folder in (library, f"include/python{MINOR}"):
        shutil.copytree(prefix / folder, target / folder, symlinks=True, ignore=_LEFT_OUT)
    (target / library / "site-packages").mkdir()
    (target / "bin").mkdir()
    shutil.copy2(prefix / "bin" / f"python{MINOR}", target / "bin")
    for shared in (prefix / "lib").glob("libpython3*.so*"):
        shutil.copy2(shared, target / "lib", follow_symlinks=False)
    # sysconfig answers where libpython lies with where it was built.
    for built in (target / library).glob("_sysconfigdata_*.py"):
        built.write_text(built.read_text().replace(interpreter.prefix, "/usr/local"))


def _describe(program: str) -> Interpreter | None:
    try:
        done = subprocess.run(
            [program, "-c", _DESCRIBE], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return Interpreter(**json.loads(done.stdout))
