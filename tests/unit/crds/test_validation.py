"""What a person is told about a wrong spec."""

from typing import Any

import pytest

from proctor_crds.evaluation_run import EvaluationRunSpec
from proctor_crds.model_deployment import ModelDeploymentSpec
from proctor_crds.validation import Problem, SpecInvalidError, did_you_mean, fields_below, parse
from tests.builders import EVALUATION, MODEL

RUN: dict[str, Any] = {
    "target": {"deploymentRef": {"name": "demo"}},
    "evaluations": [EVALUATION],
}
DEPLOYMENT: dict[str, Any] = {"model": MODEL, "backend": {"triton": {}}, "gpusPerNode": 0}


def problems(kind: Any, spec: Any) -> list[str]:
    """What `parse` says of `spec`."""
    with pytest.raises(SpecInvalidError) as raised:
        parse(kind, spec)
    return [str(problem) for problem in raised.value.problems]


def of_evaluation(**fields: Any) -> list[str]:
    """What `parse` says of a run whose evaluation has these fields."""
    return problems(EvaluationRunSpec, RUN | {"evaluations": [EVALUATION | fields]})


def test_a_right_spec_is_typed() -> None:
    assert parse(EvaluationRunSpec, RUN).evaluations[0].params.parallelism == 8


def test_an_unknown_field_is_named_with_what_was_meant() -> None:
    assert problems(ModelDeploymentSpec, DEPLOYMENT | {"replica": 2}) == [
        "spec.replica: unknown field; did you mean replicas?"
    ]


def test_a_nested_unknown_field_is_compared_with_its_siblings() -> None:
    assert of_evaluation(params={"fewShots": 3}) == [
        "spec.evaluations.0.params.fewShots: unknown field; did you mean fewShot?"
    ]


def test_a_backend_that_does_not_exist_is_named_with_what_was_meant() -> None:
    said = problems(ModelDeploymentSpec, DEPLOYMENT | {"backend": {"tritn": {}}})
    assert said == ["spec.backend.tritn: unknown field; did you mean triton?"]


def test_an_unknown_harness_is_named_with_what_was_meant() -> None:
    (said,) = of_evaluation(harness="lm-evl")
    assert said.startswith(
        "spec.evaluations.0.harness: unsupported value 'lm-evl'; did you mean lm-eval"
    )
    assert "; supported: 'lm-eval'" in said


def test_a_choice_of_several_lists_them() -> None:
    (said,) = problems(ModelDeploymentSpec, DEPLOYMENT | {"engine": {"dtype": "float23"}})
    assert said.startswith("spec.engine.dtype: unsupported value 'float23'; did you mean float32")
    assert said.endswith("supported: 'float32', 'bfloat16' or 'float16'")


def test_a_bound_is_told_with_the_value() -> None:
    assert of_evaluation(params={"fewShot": -1}) == [
        "spec.evaluations.0.params.fewShot: Input should be greater than or equal to 0, got -1"
    ]


def test_a_long_value_is_cut() -> None:
    (said,) = of_evaluation(params={"temperature": "hot" * 100})
    assert len(said) < 250


def test_every_fault_is_told_at_once() -> None:
    assert len(of_evaluation(harness="x", tasks=[], name="A")) == 3


@pytest.mark.parametrize("spec", [None, "text", [], 3], ids=repr)
def test_a_spec_that_is_no_object_is_a_problem_of_spec(spec: Any) -> None:
    (said,) = problems(EvaluationRunSpec, spec)
    assert said.startswith("spec: ")


@pytest.mark.parametrize(
    "fields",
    [
        {"replicas": "2"},
        {"replicas": True},
        {"model": MODEL | {"trustRemoteCode": "no"}},
    ],
    ids=["string", "boolean", "word"],
)
def test_a_value_of_another_type_is_refused_as_the_apiserver_does(fields: dict[str, Any]) -> None:
    assert problems(ModelDeploymentSpec, DEPLOYMENT | fields)


def test_a_broken_rule_names_where_it_lies() -> None:
    assert of_evaluation(datasets={})[0].startswith("spec.evaluations[0].datasets: datasets: set")


def test_a_task_given_twice_is_named() -> None:
    said = of_evaluation(tasks=["t", "u", "t", "u"])
    assert said == [
        'spec.evaluations[0].tasks[2]: Duplicate value: "t"; remove one',
        'spec.evaluations[0].tasks[3]: Duplicate value: "u"; remove one',
    ]


def test_evaluations_may_differ_in_all_but_their_name() -> None:
    twice = [EVALUATION | {"name": "a"}, EVALUATION | {"name": "a", "tasks": ["other"]}]
    assert problems(EvaluationRunSpec, RUN | {"evaluations": twice}) == [
        'spec.evaluations[1]: Duplicate value: {"name": "a"}; remove one'
    ]
    parse(EvaluationRunSpec, RUN | {"evaluations": [twice[0], twice[1] | {"name": "b"}]})


def test_rules_of_a_gate_may_be_the_same() -> None:
    rule = {"task": "arithmetic_mc", "metric": "acc", "min": "0.5"}
    parse(EvaluationRunSpec, RUN | {"gate": {"rules": [rule, rule]}})


def test_words_far_from_everything_known_get_no_suggestion() -> None:
    assert did_you_mean("zzz", ["triton", "vllm"]) == ""


def test_below_an_unknown_field_nothing_is_known() -> None:
    assert fields_below(EvaluationRunSpec, ["nothing", "below"]) == set()


def test_problems_read_well_together() -> None:
    error = SpecInvalidError([Problem("spec.a", "wrong"), Problem("spec.b", "bad")])
    assert str(error) == "spec.a: wrong; spec.b: bad"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (1, "1"),
        (0, "0"),
        ("1", "1"),
        ("500m", "500m"),
        ("1.5", "1.5"),
        ("2Gi", "2Gi"),
        ("1e3", "1e3"),
        (".5", ".5"),
    ],
    ids=repr,
)
def test_a_quantity_may_be_written_as_a_number_or_as_text(written: Any, read: str) -> None:
    resources = {"requests": {"cpu": written}}
    spec = parse(EvaluationRunSpec, RUN | {"evaluations": [EVALUATION | {"resources": resources}]})
    found = spec.evaluations[0].resources
    assert found
    assert found.requests == {"cpu": read}


@pytest.mark.parametrize("written", [-1, "-1", 0.5, True, None, "1 GB", "1gi", "", "m"], ids=repr)
def test_what_is_no_quantity_is_named_once(written: Any) -> None:
    (said,) = of_evaluation(resources={"limits": {"memory": written}})
    assert said.startswith("spec.evaluations.0.resources.limits.memory: ")
