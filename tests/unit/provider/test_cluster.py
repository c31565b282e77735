import os
from pathlib import Path

import pytest

from tests.provider.cluster import Source, choose, given_kubeconfig

OWN, OTHER = Path("/cache/node/admin"), Path("/home/me/.kube/config")


@pytest.mark.parametrize(
    ("given", "kind_available", "chosen"),
    [
        pytest.param(OTHER, True, Source.GIVEN, id="KUBECONFIG wins"),
        pytest.param(OTHER, False, Source.GIVEN, id="KUBECONFIG alone"),
        pytest.param(None, True, Source.KIND, id="kind before building"),
        pytest.param(None, False, Source.OWN, id="nothing given"),
        pytest.param(OWN, True, Source.OWN, id="KUBECONFIG of our own node"),
    ],
)
def test_where_the_cluster_comes_from(
    given: Path | None, kind_available: bool, chosen: Source
) -> None:
    assert choose(given, OWN, kind_available=kind_available) is chosen


@pytest.mark.parametrize(
    ("value", "path"),
    [
        pytest.param("", None, id="empty"),
        pytest.param("/a/config", Path("/a/config"), id="one file"),
        pytest.param(f"/a/config{os.pathsep}/b", Path("/a/config"), id="first of several"),
    ],
)
def test_kubeconfig_variable(value: str, path: Path | None) -> None:
    assert given_kubeconfig({"KUBECONFIG": value}) == path
