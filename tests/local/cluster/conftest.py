"""A local cluster for each test."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from proctor_cli.local import LocalCluster

IMAGE = "proctor/runtime"


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[LocalCluster]:
    given = tmp_path / "given"
    given.mkdir()
    async with LocalCluster(
        tmp_path / "state",
        volumes={"model": given},
        images={IMAGE: Path(sys.executable)},
        gpus=2,
        backoff_seconds=0.05,
        grace_seconds=5,
    ) as opened:
        yield opened
