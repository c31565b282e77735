"""The worker of an Eval-Factory image, as a process of its own, killed and started anew."""

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from proctor_harness.harnesses import container_worker


@contextlib.contextmanager
def worker(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    argv = [sys.executable, container_worker.__file__, str(folder)]
    with subprocess.Popen(argv) as process:
        try:
            yield process
        finally:
            process.kill()


def ask(folder: Path, number: int, code: str) -> None:
    argv = [sys.executable, "-c", code]
    (folder / f"{number}.json").write_text(json.dumps(argv), encoding="utf-8")


def wait(until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_each_command_is_done_once_and_its_end_is_told(tmp_path: Path) -> None:
    ask(tmp_path, 0, "print('one')")
    ask(tmp_path, 1, "raise SystemExit(3)")
    with worker(tmp_path) as process:
        wait((tmp_path / "1.exit").exists)
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 143
    assert (tmp_path / "0.log").read_text() == "one\n"
    assert [(tmp_path / f"{n}.exit").read_text() for n in (0, 1)] == ["0", "3"]


def test_what_a_killed_worker_had_begun_has_failed_and_is_not_begun_again(tmp_path: Path) -> None:
    done = tmp_path / "done"
    mark = f"open({str(done)!r}, 'a').write"
    ask(tmp_path, 0, f"{mark}('a')")
    ask(tmp_path, 1, f"import time; {mark}('b'); time.sleep(3)")
    with worker(tmp_path) as process:
        wait(lambda: done.exists() and "b" in done.read_text())
        process.kill()
    ask(tmp_path, 2, f"{mark}('c')")
    with worker(tmp_path):
        wait((tmp_path / "2.exit").exists)
    assert done.read_text() == "abc"
    assert [(tmp_path / f"{n}.exit").read_text() for n in range(3)] == ["0", "137", "0"]
    assert "killed under the command" in (tmp_path / "1.log").read_text()
