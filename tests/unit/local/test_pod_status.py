from typing import Any

import pytest

from proctor_cli.local.pod_status import Observed, phase, pod_status
from proctor_operator.cluster import Manifest

RUNNING: Manifest = {"running": {"startedAt": "t"}}
CRASHED: Manifest = {"terminated": {"exitCode": 1}}
DONE: Manifest = {"terminated": {"exitCode": 0}}
WAITING: Manifest = {"waiting": {"reason": "ContainerCreating"}}


def status(state: Manifest, name: str = "main", **fields: Any) -> Manifest:
    usual = {"ready": False, "started": False, "lastState": {}}
    return {"name": name, "state": state, **usual, **fields}


def observed(
    *main: Manifest, policy: str = "Never", init: list[Manifest] | None = None, **fields: Any
) -> Observed:
    init = init or []
    spec = {
        "restartPolicy": policy,
        "initContainers": [
            {"name": each["name"]} | ({"restartPolicy": "Always"} if "side" in each["name"] else {})
            for each in init
        ],
    }
    return Observed(spec=spec, init=init, main=main, **{"started": "t", **fields})


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        pytest.param(observed(), "Pending", id="no containers yet"),
        pytest.param(observed(status(WAITING)), "Pending", id="creating"),
        pytest.param(observed(status(RUNNING)), "Running", id="running"),
        pytest.param(observed(status(RUNNING), status(WAITING)), "Pending", id="one not started"),
        pytest.param(observed(status(DONE)), "Succeeded", id="done"),
        pytest.param(observed(status(CRASHED)), "Failed", id="crashed"),
        pytest.param(observed(status(CRASHED), status(RUNNING)), "Running", id="one still runs"),
        pytest.param(observed(status(CRASHED), policy="OnFailure"), "Running", id="will restart"),
        pytest.param(observed(status(DONE), policy="OnFailure"), "Succeeded", id="will not"),
        pytest.param(observed(status(DONE), policy="Always"), "Running", id="always restarts"),
        pytest.param(
            observed(status(WAITING, lastState=CRASHED), policy="Always"), "Running", id="back-off"
        ),
        pytest.param(
            observed(status(WAITING), init=[status(CRASHED, "setup")]), "Failed", id="init failed"
        ),
        pytest.param(
            observed(status(WAITING), init=[status(CRASHED, "setup")], policy="Always"),
            "Pending",
            id="init will restart",
        ),
        pytest.param(
            observed(status(DONE), init=[status(RUNNING, "side", started=True)]),
            "Running",
            id="sidecar still runs",
        ),
        pytest.param(
            observed(status(DONE), init=[status(CRASHED, "side")]), "Succeeded", id="sidecar ended"
        ),
        pytest.param(observed(status(DONE), policy="Always", ended=True), "Succeeded", id="ended"),
        pytest.param(observed(status(WAITING), ended=True), "Failed", id="ended unstarted"),
        pytest.param(observed(status(RUNNING), failure=("Why", "text")), "Failed", id="made to"),
    ],
)
def test_phase(pod: Observed, expected: str) -> None:
    assert phase(pod) == expected


def conditions(pod: Observed) -> dict[str, tuple[str, str | None]]:
    found = pod_status(pod, {}, "now")["conditions"]
    return {each["type"]: (each["status"], each.get("reason")) for each in found}


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        pytest.param(
            observed(unschedulable="no room", started=None),
            {"PodScheduled": ("False", "Unschedulable")},
            id="unschedulable",
        ),
        pytest.param(
            observed(status(RUNNING, ready=True)),
            {"Initialized": ("True", None), "Ready": ("True", None)},
            id="ready",
        ),
        pytest.param(
            observed(status(RUNNING)), {"Ready": ("False", "ContainersNotReady")}, id="not ready"
        ),
        pytest.param(
            observed(status(RUNNING, ready=True), init=[status(RUNNING, "side", started=True)]),
            {"Ready": ("False", "ContainersNotReady"), "Initialized": ("True", None)},
            id="sidecar not ready",
        ),
        pytest.param(
            observed(status(WAITING), init=[status(RUNNING, "setup")]),
            {"Initialized": ("False", "ContainersNotInitialized")},
            id="initializing",
        ),
        pytest.param(
            observed(status(DONE)),
            {"Ready": ("False", "PodCompleted"), "Initialized": ("True", "PodCompleted")},
            id="completed",
        ),
        pytest.param(observed(status(CRASHED)), {"Ready": ("False", "PodFailed")}, id="failed"),
    ],
)
def test_conditions(pod: Observed, expected: dict[str, Any]) -> None:
    found = conditions(pod)
    assert {kind: found[kind] for kind in expected} == expected


def test_a_done_init_container_is_ready_as_kubernetes_has_it() -> None:
    pod = observed(status(RUNNING), init=[status(DONE, "setup")])
    assert pod_status(pod, {}, "now")["initContainerStatuses"][0]["ready"]


def test_what_others_wrote_stays_and_times_move_with_the_status() -> None:
    disrupted = {"type": "DisruptionTarget", "status": "True", "lastTransitionTime": "before"}
    first = pod_status(observed(status(RUNNING)), {"conditions": [disrupted]}, "first")
    second = pod_status(observed(status(RUNNING, ready=True)), first, "second")
    assert disrupted in second["conditions"]
    times = {each["type"]: each["lastTransitionTime"] for each in second["conditions"]}
    assert times["Ready"] == "second"
    assert times["PodScheduled"] == "first"
