"""Two operators, one apiserver: one of them reconciles, and the other is there when it ends."""

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.apiserver.by_hand import ER, end_job, end_pod, jobs, make_ready, started
from tests.examples import deployment, run
from tests.kube import Kubectl, OperatorProcess, eventually, free_port

pytestmark = pytest.mark.apiserver
RESULT = (
    '{"results":[{"task":"arithmetic_mc","metric":"acc","value":"0.75","stderr":"0.03","n":200}]}'
)


@dataclass
class Replica:
    """An operator that takes part in the election, and its metrics."""

    process: OperatorProcess
    metrics_port: int

    def sample(self, name: str, **labels: str) -> float | None:
        """One of its metrics; None where it has no such."""
        text = httpx.get(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=5).text
        families = text_string_to_metric_families(text)
        found = [s for family in families for s in family.samples if s.name == name]
        return next((s.value for s in found if labels.items() <= s.labels.items()), None)

    def leads(self) -> bool:
        """Whether it says that it leads."""
        return self.sample("proctor_leader") == 1


@pytest.fixture
def replicas(kubectl: Kubectl, tmp_path: Path) -> Iterator[tuple[Replica, Replica]]:
    """Two operators; the first leads."""
    made = [replica(kubectl, tmp_path / f"{name}.log") for name in "ab"]
    try:
        made[0].process.start()
        eventually(made[0].leads)
        made[1].process.start()
        yield made[0], made[1]
    finally:
        for each in made:
            each.process.stop()


def replica(kubectl: Kubectl, log: Path) -> Replica:
    port = free_port()
    environment = {
        "WATCH_NAMESPACES": kubectl.namespace,
        "LEASE": f"{kubectl.namespace}/proctor",
        "METRICS_PORT": str(port),
    }
    return Replica(OperatorProcess(kubectl.kubeconfig, log, environment), port)


def lease(kubectl: Kubectl) -> Any:
    found = kubectl.get("lease", "proctor")
    assert found
    return found["spec"]


def seconds_to_takeover(kubectl: Kubectl, since: datetime) -> float:
    """When the lease was taken, by its own stamp: how slowly that is seen here does not matter."""
    taken = datetime.fromisoformat(lease(kubectl)["acquireTime"])
    return (taken - since).total_seconds()


def test_a_killed_leader_is_followed_within_20_s_and_nothing_is_made_twice(
    kubectl: Kubectl, replicas: tuple[Replica, Replica]
) -> None:
    leader, follower = replicas
    kubectl.apply(deployment(), run())
    make_ready(kubectl)
    job = started(kubectl)
    assert not follower.leads()
    assert follower.sample("proctor_reconcile_total") is None
    leader.process.stop(signal.SIGKILL)
    killed = datetime.now(UTC)
    end_pod(kubectl, job, 0, RESULT)
    end_job(kubectl, job)
    eventually(follower.leads)
    assert 0 < seconds_to_takeover(kubectl, killed) < 20
    kubectl.wait_condition(ER, "arithmetic", "Succeeded", "True", "AllScored")
    assert [found["metadata"]["uid"] for found in jobs(kubectl)] == [job["metadata"]["uid"]]
    assert follower.sample("proctor_reconcile_total", kind="EvaluationRun", outcome="done")


def test_a_leader_that_is_asked_to_end_hands_over_at_once(
    kubectl: Kubectl, replicas: tuple[Replica, Replica]
) -> None:
    leader, follower = replicas
    first = lease(kubectl)
    leader.process.stop(signal.SIGTERM)
    eventually(follower.leads)
    # A lease that nobody let go of cannot be taken before it lapses.
    renewed = datetime.fromisoformat(first["renewTime"])
    assert seconds_to_takeover(kubectl, renewed) < first["leaseDurationSeconds"]
    assert lease(kubectl)["holderIdentity"] not in ("", first["holderIdentity"])


def test_a_leader_whose_lease_is_taken_stops_reconciling_and_ends(
    kubectl: Kubectl, replicas: tuple[Replica, Replica]
) -> None:
    leader, _ = replicas
    kubectl("patch", "lease", "proctor", "--type=merge", "-p", '{"spec":{"holderIdentity":"x"}}')
    assert leader.process.ended() == 1


def test_an_operator_that_leads_shows_what_it_does(
    kubectl: Kubectl, replicas: tuple[Replica, Replica]
) -> None:
    leader, _ = replicas
    kubectl.apply(run())
    kubectl.wait_condition(ER, "arithmetic", "TargetReady", "False", "DeploymentNotFound")
    labels = {"kind": "EvaluationRun"}
    eventually(lambda: leader.sample("proctor_reconcile_total", **labels, outcome="done"))
    assert leader.sample("proctor_reconcile_duration_seconds_count", **labels)
    assert eventually(lambda: leader.sample("proctor_queue_depth") == 0)
