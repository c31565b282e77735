"""`proctor run` from files to status, with stand-ins for the images."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from proctor_cli.app import INVALID_INPUT, app
from proctor_cli.documents import Documents
from proctor_cli.local_run import passed
from proctor_cli.local_run import run as run_documents
from tests.local.conftest import World, run

ENDPOINT = {"endpoint": {"url": "http://127.0.0.1:1", "model": "m"}}
REFUSED = """
apiVersion: proctor.dev/v1alpha1
kind: EvaluationRun
metadata: {name: r}
spec:
  target: {endpoint: {url: "http://127.0.0.1:1", model: m}}
  evaluations:
    - {name: a, harness: lm-eval, tasks: [t]}
---
apiVersion: v1
kind: Service
metadata: {name: s}
spec: {port: []}
"""


async def test_a_run_that_would_delete_itself_is_shown_as_it_ended(world: World) -> None:
    await world.stop_operator()
    failing = run(
        target=ENDPOINT,
        extra={"exit": "64", "message": '{"reason": "UnknownTask", "message": "words"}'},
        ttlSecondsAfterFinished=0,
        queueName="team",
    )
    [ended] = await run_documents(Documents([failing]), world.cluster, lambda _: None)
    assert ended["status"]["evaluations"][0]["failure"]["reason"] == "UnknownTask"
    assert not passed(ended)


@pytest.mark.parametrize(
    ("gate", "good"), [(None, True), ("True", True), ("False", False), ("Unknown", False)]
)
def test_a_gate_that_judged_nothing_is_not_passed(gate: str | None, good: bool) -> None:
    conditions = [{"type": "Succeeded", "status": "True"}]
    conditions += [{"type": "GatePassed", "status": gate}] if gate else []
    status = {"observedGeneration": 1, "conditions": conditions}
    ended = {"kind": "EvaluationRun", "metadata": {"generation": 1}, "status": status}
    assert passed(ended) is good


def test_what_the_cluster_refuses_ends_the_command(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(REFUSED)
    ended = CliRunner().invoke(app, ["run", str(path), "--state", str(tmp_path / "state")])
    assert ended.exit_code == INVALID_INPUT
    assert 'Service "s" is invalid: .spec.port: field not declared in schema' in ended.stderr
