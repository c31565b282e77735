"""What all tiers share: the real clusters, of which a session needs one each."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests import no_skips
from tests.provider import apiserver, node
from tests.provider.skipping import skip_unless_available

# A machine that is busy is slow, not wrong.
settings.register_profile("proctor", deadline=None)
settings.load_profile("proctor")


def pytest_configure(config: pytest.Config) -> None:
    if no_skips.required():
        config.pluginmanager.register(no_skips.NoSkips())


@pytest.fixture(scope="session")
def apiserver_kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The administrator's kubeconfig of an apiserver that lasts as long as the session."""
    with skip_unless_available(), apiserver(tmp_path_factory.mktemp("apiserver")) as path:
        yield path


@pytest.fixture(scope="session")
def node_kubeconfig() -> Iterator[Path]:
    """The administrator's kubeconfig of a cluster on which pods run, left as it was found."""
    with skip_unless_available(), node() as path:
        yield path
