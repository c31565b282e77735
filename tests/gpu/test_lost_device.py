"""A device that is lost to the process is a dead engine, whose pod is replaced."""

import subprocess
import sys

import pytest

from demo import ARITHMETIC
from tests.gpu.answers import Configuration
from tests.gpu.conftest import require

CUDA = Configuration("cuda")


@pytest.mark.gpu
def test_a_kernel_that_fails_is_the_engines_death() -> None:
    require(CUDA)
    command = [sys.executable, "-m", "tests.gpu.lost_device", str(ARITHMETIC / "checkpoint")]
    ended = subprocess.run(
        command, env=CUDA.environment, capture_output=True, text=True, check=True, timeout=300
    )
    assert ended.stdout.splitlines()[-1].startswith("EngineDeadError: cuda:0 is lost"), ended.stderr
