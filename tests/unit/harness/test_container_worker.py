"""The worker of an Eval-Factory image, begun anew beside a driver that waits."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from proctor_harness.harnesses import container_worker
from tests.kube import eventually


@contextmanager
def working(folder: Path) -> Iterator[None]:
    argv = [sys.executable, container_worker.__file__, str(folder)]
    with subprocess.Popen(argv) as process:
        try:
            yield
        finally:
            process.kill()


def ask(folder: Path, number: int, code: str) -> None:
    written = folder / "written"
    written.write_text(json.dumps([sys.executable, "-c", code]))
    written.rename(folder / f"{number}.json")


def ended(folder: Path, number: int) -> str:
    path = folder / f"{number}.exit"
    eventually(path.exists, 20)
    return path.read_text()


def test_no_command_is_run_twice(tmp_path: Path) -> None:
    mark = "open('{}', 'a').write('x')"
    first, second = (tmp_path / name for name in ("first", "second"))
    ask(tmp_path, 0, mark.format(first))
    ask(tmp_path, 1, f"{mark.format(second)}; import time; time.sleep(3)")
    with working(tmp_path):
        assert ended(tmp_path, 0) == "0"
        eventually(second.exists, 20)
    with working(tmp_path):
        assert ended(tmp_path, 1) == "137"
        ask(tmp_path, 2, "raise SystemExit(3)")
        assert ended(tmp_path, 2) == "3"
    assert (first.read_text(), second.read_text()) == ("x", "x")
