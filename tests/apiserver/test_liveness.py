"""What the kubelet hears from an operator that no longer gets on."""

from pathlib import Path

import httpx
import pytest

from tests.kube import Kubectl, OperatorProcess, eventually

pytestmark = pytest.mark.apiserver


def status(url: str) -> int | None:
    """What the probe is answered; None while nobody listens."""
    try:
        return httpx.get(url, timeout=5).status_code
    except httpx.TransportError:
        return None


@pytest.mark.parametrize(
    ("module", "answer"),
    [("proctor_operator", 200), ("tests.apiserver.stuck_operator", 500)],
    ids=["well", "stuck"],
)
def test_the_probe_fails_where_nothing_gets_on(
    kubectl: Kubectl, tmp_path: Path, module: str, answer: int
) -> None:
    environment = {"WATCH_NAMESPACES": kubectl.namespace}
    process = OperatorProcess(kubectl.kubeconfig, tmp_path / "log", environment, module=module)
    url = process.launch()
    try:
        assert eventually(lambda: status(url)) == answer
    finally:
        process.stop()
