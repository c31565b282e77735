"""What all tiers share: the real clusters, of which a session needs one each."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests import no_skips
from tests.provider import apiserver, node
from tests.provider.skipping import skip_unless_available

# A machine that is busy is slow, not wrong; and what CI says has to be found again.
settings.register_profile(
    "proctor",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=no_skips.required(),
)
settings.load_profile("proctor")
TIERS = ("apiserver", "e2e")


def pytest_configure(config: pytest.Config) -> None:
    if no_skips.required():
        config.pluginmanager.register(no_skips.NoSkips())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Clusters last, for they run until the session ends, beside whatever else is tested."""
    items.sort(key=lambda item: [bool(item.get_closest_marker(tier)) for tier in TIERS[::-1]])


def pytest_collection_finish() -> None:
    """Spare the garbage collector what stays: looking at it stops servers of this process."""
    gc.collect()
    gc.freeze()


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
