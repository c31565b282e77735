"""Ctrl-C: what a person expects of it."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from proctor_cli.app import end_on_signal
from tests.local.cluster.processes import in_whose_environment
from tests.local.test_demo import FILES, VOLUME


def test_ctrl_c_ends_every_process_and_says_so(tmp_path: Path) -> None:
    state = tmp_path / "state"
    command = [sys.executable, "-m", "proctor_cli.app", "run", *FILES, "--volume", VOLUME]
    run = subprocess.Popen(
        [*command, "--state", str(state)],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for_log(state, "harness", run)
        before = in_whose_environment(str(state))
        os.killpg(run.pid, signal.SIGINT)  # as a terminal does
        _, told = run.communicate(timeout=120)
    finally:
        run.kill()
    assert len(before) >= 6, "server, adapter and harness, each beneath its shim"
    assert run.returncode == 130
    assert f"stopped; every process was ended; logs: {state}" in told
    assert in_whose_environment(str(state)) == set()


def wait_for_log(state: Path, container: str, run: "subprocess.Popen[str]") -> None:
    """Wait until a container of that name runs. The first time its environment is made first."""
    deadline = time.monotonic() + 850
    while not list(state.glob(f"logs/*/*/{container}.log")):
        assert run.poll() is None, run.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_every_signal_cancels_anew(number: signal.Signals) -> None:
    told: list[str] = []
    end_on_signal(told.append)
    for _ in range(2):
        os.kill(os.getpid(), number)
        with pytest.raises(asyncio.CancelledError):
            await asyncio.sleep(10)
        asyncio.current_task().uncancel()
    assert len(told) == 2
    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().remove_signal_handler(each)
