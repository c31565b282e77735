"""A cluster on which pods run, for the session; left as it was found, up or down."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.provider import node
from tests.provider.skipping import skip_unless_available


@pytest.fixture(scope="session")
def node_kubeconfig() -> Iterator[Path]:
    """The administrator's kubeconfig."""
    with skip_unless_available(), node() as path:
        yield path
