import os
import sys
from pathlib import Path

import pytest

from tests.provider.errors import FailedError
from tests.provider.process_table import ProcessTable
from tests.provider.processes import Process, spawn, start_ticks, until

FOREVER = [sys.executable, "-c", "import time; time.sleep(600)"]


def stat(name: str, state: str, ticks: int) -> str:
    before_start = " ".join("0" for _ in range(18))
    return f"7 ({name}) {state} {before_start} {ticks} 0 0\n"


@pytest.mark.parametrize(
    ("name", "state", "ticks"),
    [
        pytest.param("etcd", "S", 42, id="sleeping"),
        pytest.param("a) R 1 (b", "R", 42, id="name made to mislead"),
        pytest.param("etcd", "Z", None, id="zombie"),
    ],
)
def test_start_is_read_past_the_name(
    tmp_path: Path, name: str, state: str, ticks: int | None
) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "stat").write_text(stat(name, state, 42))
    assert start_ticks(7, tmp_path) == ticks


def test_a_pid_of_nobody_has_no_start(tmp_path: Path) -> None:
    assert start_ticks(7, tmp_path) is None


def test_a_reused_pid_is_not_our_process() -> None:
    ticks = start_ticks(os.getpid())
    assert ticks is not None
    assert Process(os.getpid(), ticks).alive
    assert not Process(os.getpid(), ticks - 1).alive


def test_a_reused_pid_is_not_killed() -> None:
    Process(os.getpid(), 1).kill()


def test_killing_ends_the_whole_group(tmp_path: Path) -> None:
    # The shell writes its child's pid and waits for it.
    script = f"sleep 600 & echo $! > {tmp_path / 'child'}; wait"
    process = spawn(["sh", "-c", script], tmp_path / "log", os.environ)
    until(lambda: bool((tmp_path / "child").exists() and (tmp_path / "child").read_text()), 10, "")
    child = int((tmp_path / "child").read_text())
    process.kill()
    until(lambda: start_ticks(child) is None, 10, "the child's end")
    assert not process.alive


def test_a_table_starts_a_process_once_and_finds_it_again(tmp_path: Path) -> None:
    first = ProcessTable(tmp_path).ensure("server", FOREVER)
    again = ProcessTable(tmp_path)
    assert again.ensure("server", FOREVER) == first
    again.stop()
    assert not first.alive
    assert again.recorded() == {}


def test_a_table_restarts_what_has_died(tmp_path: Path) -> None:
    table = ProcessTable(tmp_path)
    first = table.ensure("server", FOREVER)
    first.kill()
    assert not table.alive("server")
    assert table.ensure("server", FOREVER) != first
    table.stop()


def test_waiting_for_a_dead_process_ends_with_its_last_words(tmp_path: Path) -> None:
    table = ProcessTable(tmp_path)
    table.ensure("server", ["sh", "-c", "echo no such flag >&2; exit 1"])
    with pytest.raises(FailedError, match=r"server has ended(?s:.)*no such flag"):
        table.wait("server", lambda: False, 30)
    table.stop()


def test_waiting_gives_up(tmp_path: Path) -> None:
    with pytest.raises(FailedError, match="the moon: not within 0 s"):
        until(lambda: False, 0, "the moon")
