"""Making a virtual environment once, whoever asks first and however often it is interrupted."""

import asyncio
import fcntl
import hashlib
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

from proctor_cli.local.spawn import bounded

EXTRAS = {
    "operator": "operator",
    "runtime": "runtime,triton",
    "harness-lm-eval": "lm-eval",
    "harness-simple-evals": "simple-evals",
    "harness-bigcode": "bigcode",
    "harness-garak": "garak",
    "harness-safety-harness": "safety-harness",
    "harness-container": "container",
    "harness-bfcl": "bfcl",
}
"""Extras of this distribution that each image installs."""


class BuildFailed(Exception):  # noqa: N818  what happened
    """uv could not make the environment."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """This very Proctor: a source checkout, or a version of an index."""

    version: str
    checkout: Path | None

    @classmethod
    def installed(cls) -> "Distribution":
        """What is running now."""
        root = Path(__file__).parents[3]
        is_checkout = (root / "pyproject.toml").exists() and (root / "requirements.lock").exists()
        return cls(version("proctor"), root if is_checkout else None)

    def install_arguments(self, component: str) -> list[str]:
        """What `uv pip install` is told; a checkout is installed as it is edited."""
        extras = EXTRAS[component]
        if self.checkout is None:
            return [f"proctor[{extras}]=={self.version}"]
        lock = str(lock_file(self.checkout, component))
        return ["--constraints", lock, "--editable", f"{self.checkout}[{extras}]"]

    def fingerprint(self, component: str) -> str:
        """Differs when the environment would."""
        prefix = sys.prefix if self.checkout is None else ""
        parts = [sys.version, prefix, self.version, EXTRAS[component]]
        if self.checkout is not None:
            files = (lock_file(self.checkout, component), self.checkout / "pyproject.toml")
            parts += [str(self.checkout), *(path.read_text() for path in files)]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def lock_file(checkout: Path, component: str) -> Path:
    """The versions of a component: a lock of its own where it cannot share the common one."""
    own = checkout / "images" / component / "requirements.lock"
    return own if own.exists() else checkout / "requirements.lock"


async def build(
    component: str, distribution: Distribution, cache: Path, progress: Callable[[str], None]
) -> Path:
    """The interpreter of the component's environment; raises `BuildFailed`.

    A venv holds its own path and cannot be moved into place when it is ready. So it is made where
    it stays, under a lock, and counts only with the marker that is written last.
    """
    root = cache / "env" / f"{component}-{distribution.fingerprint(component)[:12]}"
    python, complete = root / "bin" / "python", root / ".complete"
    root.parent.mkdir(parents=True, exist_ok=True)
    async with _locked(root.with_suffix(".lock"), component, progress) as lock:
        if not complete.exists():
            shutil.rmtree(root, ignore_errors=True)
            progress(f"{component}: making its environment (once; kept in {root})")
            uv = partial(_uv, component, progress, lock)
            await uv("venv", "--python", sys.executable, str(root))
            wanted = distribution.install_arguments(component)
            await uv("pip", "install", "--python", str(python), *wanted)
            complete.touch()
            progress(f"{component}: environment ready")
    return python


@asynccontextmanager
async def _locked(
    path: Path, component: str, progress: Callable[[str], None]
) -> AsyncIterator[int]:
    """Hold `path` against other processes; whoever inherits the descriptor holds it too."""
    with path.open("w") as file:
        waiting = False
        while not _lock(file.fileno()):  # blocking would need a thread that nothing can cancel
            if not waiting:
                progress(f"{component}: waiting for another run that makes its environment")
            waiting = True
            await asyncio.sleep(0.5)
        yield file.fileno()


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


async def _uv(component: str, progress: Callable[[str], None], lock: int, *arguments: str) -> None:
    """Run uv, telling of each line that it writes.

    It inherits the lock: should we be killed, it writes on, and nobody else may till it has ended.
    """
    options = {
        "stdin": asyncio.subprocess.DEVNULL,
        "stdout": asyncio.subprocess.PIPE,
        "stderr": asyncio.subprocess.STDOUT,
        "pass_fds": (lock,),
    }
    lines: list[str] = []
    async with bounded(_uv_executable(), *arguments, **options) as process:
        assert process.stdout is not None  # noqa: S101  a pipe was asked for
        async for line in process.stdout:
            lines.append(line.decode(errors="replace").rstrip())
            progress(f"{component}: {lines[-1]}")
        code = await process.wait()
    if code:
        raise BuildFailed(f"uv {arguments[0]} ended with {code}: {' | '.join(lines[-8:])}")


def _uv_executable() -> str:
    try:
        from uv import find_uv_bin  # noqa: PLC0415  part of the `cli` extra; else that on PATH
    except ImportError:
        found = shutil.which("uv")
        if found is None:
            raise BuildFailed("uv is not installed: pip install 'proctor[cli]'") from None
        return found
    return find_uv_bin()
