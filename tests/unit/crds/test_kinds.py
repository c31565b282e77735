"""The kinds and the values that the API's types hold."""

import json

import pytest
from pydantic import TypeAdapter, ValidationError

from proctor_crds.base import Decimal, Name
from proctor_crds.common import Condition
from proctor_crds.kinds import EVALUATION_RUN, KINDS, MODEL_DEPLOYMENT, Kind, condition
from proctor_crds.results import ResultRecord
from proctor_crds.wire import TERMINATION_LIMIT, HarnessParams, RunResult, RunSpec


def test_kinds_are_found_by_name() -> None:
    assert KINDS == {"ModelDeployment": MODEL_DEPLOYMENT, "EvaluationRun": EVALUATION_RUN}


def test_an_object_of_a_kind_names_group_and_version() -> None:
    assert MODEL_DEPLOYMENT.manifest("demo", "team", spec={}) == {
        "apiVersion": "proctor.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": "demo", "namespace": "team"},
        "spec": {},
    }


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_age_is_the_last_column(kind: Kind) -> None:
    assert [column.name for column in kind.columns][-1] == "Age"


def test_a_condition_is_found_by_its_type() -> None:
    assert condition("Ready") == '.status.conditions[?(@.type=="Ready")].status'


@pytest.mark.parametrize("text", ["0", "-1", "0.95", "1e-05", "3E+7"])
def test_a_number_is_a_decimal_string(text: str) -> None:
    assert TypeAdapter(Decimal).validate_python(text) == text


@pytest.mark.parametrize("text", ["", "nan", "inf", ".5", "1.", "1,5", "0x1", "1" * 33])
def test_what_is_no_finite_number_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Decimal).validate_python(text)


@pytest.mark.parametrize("text", ["", "-a", "a-", "A", "a" * 64, "a.b", "a\n"])
def test_a_name_is_a_dns_label(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Name).validate_python(text)


def test_types_are_immutable_and_closed() -> None:
    record = ResultRecord(task="t", metric="acc", value="1", n=1)
    with pytest.raises(ValidationError, match="frozen"):
        record.value = "2"
    with pytest.raises(ValidationError, match="Extra inputs"):
        ResultRecord.model_validate({"task": "t", "metric": "m", "value": "1", "n": 1, "x": 1})


def test_a_run_spec_survives_the_way_through_the_environment() -> None:
    spec = RunSpec(harness="lm-eval", tasks=["a"], model="m", params=HarnessParams(few_shot=0))
    text = spec.model_dump_json(by_alias=True, exclude_none=True)
    assert json.loads(text)["params"]["fewShot"] == 0
    assert RunSpec.model_validate_json(text) == spec


def test_a_result_of_twenty_records_fits_into_a_termination_message() -> None:
    record = ResultRecord(
        task="arithmetic_mc", metric="acc_norm", value="0.5123", stderr="0.01", n=500
    )
    text = RunResult(results=[record] * 20).model_dump_json(by_alias=True, exclude_none=True)
    assert len(text.encode()) < TERMINATION_LIMIT


def test_a_condition_is_written_as_kubernetes_writes_it() -> None:
    made = Condition(type="Ready", status="True", reason="R", message="", last_transition_time="t")
    assert "lastTransitionTime" in made.model_dump(by_alias=True)
