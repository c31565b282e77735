"""What every harness must hold to, and the golden command and report of each."""

import json
from pathlib import Path
from typing import get_args

import pytest

from proctor_crds import evaluation_run
from proctor_crds.reasons import Reason
from proctor_crds.results import ResultRecord
from proctor_crds.wire import RunSpec
from proctor_harness.failures import EXIT_CODES
from proctor_harness.harnesses import HARNESSES
from proctor_harness.harnesses.protocol import Harness, Workspace

GOLDEN = Path(__file__).parent / "golden"
RUN = RunSpec.model_validate(
    {
        "harness": "lm-eval",
        "tasks": ["sums", "sum_gen"],
        "model": "m,x=1",
        "seed": 7,
        "params": {
            "limitSamples": 5,
            "fewShot": 2,
            "parallelism": 16,
            "requestTimeoutSeconds": 30,
            "maxRetries": 0,
            "temperature": "0.0",
            "topP": "0.95",
            "maxNewTokens": 64,
            "extra": {"maxLength": "1024", "systemInstruction": "-- Be brief, x=1"},
        },
    }
)
WORKSPACE = Workspace("http://127.0.0.1:9100/v1", Path("/artifacts/out"), Path("/datasets"))


def test_the_api_offers_exactly_the_registered_harnesses() -> None:
    assert set(get_args(evaluation_run.Harness)) == set(HARNESSES)


@pytest.mark.parametrize("name", HARNESSES)
def test_a_golden_report_becomes_records(name: str) -> None:
    golden = GOLDEN / name.replace("-", "_")
    expected = json.loads((golden / "records.json").read_text())
    assert HARNESSES[name].parse(golden).results == list(map(ResultRecord.model_validate, expected))


@pytest.mark.parametrize("endpoint_type", ["completions", "chat"])
@pytest.mark.parametrize("name", HARNESSES)
def test_the_command_is_the_golden_one(name: str, endpoint_type: str) -> None:
    golden = GOLDEN / name.replace("-", "_") / f"argv.{endpoint_type}.json"
    run = RUN.model_copy(update={"endpoint_type": endpoint_type})
    assert command(HARNESSES[name], run) == json.loads(golden.read_text())


@pytest.mark.parametrize("name", HARNESSES)
def test_a_plain_run_is_valid(name: str) -> None:
    assert HARNESSES[name].validate(RunSpec(harness=name, tasks=["t"], model="m")) == []


def test_every_failure_is_a_known_reason() -> None:
    assert set(EXIT_CODES) <= set(Reason)


def command(harness: Harness, run: RunSpec) -> list[str]:
    """Without the interpreter's path, which is this machine's."""
    return harness.command(run, WORKSPACE)[1:]
