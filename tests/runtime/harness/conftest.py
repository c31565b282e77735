from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runtime.harness.model_server import ModelServer, serving
from tests.runtime.harness.processes import AdapterProcess, adapter


@pytest.fixture
def model() -> Iterator[ModelServer]:
    with serving(ModelServer()) as state:
        yield state


@pytest.fixture
def sidecar(model: ModelServer, tmp_path: Path) -> Iterator[AdapterProcess]:
    with adapter(model.url, tmp_path, API_KEY="sk-secret") as process:
        yield process
