"""Every CEL rule of the API, once kept and once broken."""

from typing import Any

import pytest

from proctor_crds.base import Model, Rule
from proctor_crds.crdgen import models_of
from proctor_crds.evaluation_run import (
    Artifacts,
    Datasets,
    Endpoint,
    Evaluation,
    EvaluationRunSpec,
    Gate,
    GateRule,
    Hub,
    Target,
)
from proctor_crds.kinds import KINDS
from proctor_crds.model_deployment import (
    Backend,
    Engine,
    ModelDeploymentSpec,
    ModelSource,
    Parallelism,
    ServedModel,
)
from proctor_crds.validation import SpecInvalidError, broken_rules, check_name, parse
from tests.builders import EVALUATION, MODEL

Spec = dict[str, Any]
PVC = {"claimName": "models"}
SPEC: Spec = {"model": MODEL, "backend": {"triton": {}}, "gpusPerNode": 0}
BOUND: Spec = {"task": "sums", "metric": "acc", "min": "0.5"}

KEPT: dict[type[Model], Spec] = {
    ModelSource: {"pvc": PVC},
    ServedModel: MODEL,
    Backend: {"triton": {}},
    Parallelism: {"tensor": 2, "pipeline": 2},
    Engine: {"dtype": "float32"},
    ModelDeploymentSpec: SPEC,
    Target: {"deploymentRef": {"name": "demo"}},
    Endpoint: {"url": "https://api.example/@team/v1", "model": "m"},
    Hub: {"endpoint": "https://mirror.example/@team/hub"},
    Datasets: {"pvc": PVC},
    Evaluation: EVALUATION,
    GateRule: BOUND,
    Gate: {"rules": [BOUND]},
    Artifacts: {"pvc": PVC},
    EvaluationRunSpec: {
        "target": {"deploymentRef": {"name": "demo"}},
        "evaluations": [EVALUATION],
        "gate": {"rules": [BOUND, BOUND | {"evaluation": "sums"}]},
    },
}
"""Of each model with rules, an instance that keeps all of them."""

S3 = {"s3": {"uri": "s3://bucket"}}

BROKEN: dict[type[Model], dict[str, Spec]] = {
    ModelSource: {
        "model.source: set exactly one": S3,
        "oci is not": {"oci": {"image": "i"}},
    },
    ServedModel: {
        "trustRemoteCode other": {"trustRemoteCode": True},
        "chatTemplate must": {"chatTemplate": "é" * 32769},
    },
    Backend: {
        "backend: set exactly one": {"triton": None},
        "rayServe is not": {"rayServe": {}},
        "vllm is not": {"vllm": {}},
    },
    Parallelism: {
        "parallelism.expert × expertTensor": {"tensor": 2, "expert": 2, "expertTensor": 2},
        "parallelism.sequence splits": {"tensor": 1, "sequence": True},
    },
    Engine: {
        "kvCacheGiB must": {"kvCacheGiB": "0"},
    },
    ModelDeploymentSpec: {
        "parallelism.tensor × pipeline": {"gpusPerNode": 2},
        "engine.cudaGraphs true": {"engine": {"cudaGraphs": True}},
        "engine.flashDecode true": {"engine": {"flashDecode": True}},
        "nodes other": {"nodes": 2},
        "autoscaling is not": {"autoscaling": {}},
        "idleTTL is not": {"idleTTL": "1h"},
        "queueName is not": {"queueName": "q"},
    },
    Target: {
        "target: set exactly one": {"endpoint": {"url": "http://host", "model": "m"}},
        "deployment is not": {"deployment": SPEC},
    },
    Endpoint: {
        "endpoint.url: leave out what begins": {"url": "https://api.example/v1?version=1"},
        "endpoint.url: leave out what stands": {"url": "https://user:pass@api.example/v1"},
    },
    Hub: {"hub.endpoint: leave out": {"endpoint": "http://user@mirror"}},
    Datasets: {"datasets: set hub, or exactly": S3},
    Evaluation: {
        "shards: nothing tells": {"shards": 2, "harness": "container", "image": "i"},
        "shards: params.extra.batchSize": {
            "shards": 2,
            "params": {"extra": {"batchSize": "4"}},
        },
        "judgeRef: only": {"judgeRef": {"name": "judge"}},
        "image: name an": {"harness": "container"},
    },
    GateRule: {
        "gate rule: set min": {"min": None},
        "maxDrop is not": {"maxDrop": "0.1"},
        "baselineRef is not": {"baselineRef": {"name": "run"}},
    },
    Gate: {"gate.confidence": {"confidence": "1"}},
    Artifacts: {"artifacts: set exactly one": S3},
    EvaluationRunSpec: {
        "shards: the pods": {"evaluations": [EVALUATION | {"shards": 2}]},
        "exporters is not": {"exporters": []},
        "offline is not": {"offline": False},
        "reuse is not": {"reuse": "Never"},
        "budget is not": {"budget": {}},
        "gate rule: evaluation must": {"gate": {"rules": [BOUND | {"evaluation": "products"}]}},
    },
}
"""Of each rule, by how its message begins, the fields that break it."""

MODELS = {m for kind in KINDS.values() for m in models_of(kind.spec).values()}
RULES = [(m, rule) for m in sorted(MODELS, key=lambda m: m.__name__) for rule in m.rules]


def messages(model: type[Model], spec: Spec) -> list[str]:
    """What is said of `spec`."""
    given = {key: value for key, value in spec.items() if value is not None}
    return [problem.message for problem in broken_rules(model.model_validate(given), "spec")]


@pytest.mark.parametrize(
    ("model", "rule"), RULES, ids=[f"{m.__name__}-{r.message:.30}" for m, r in RULES]
)
def test_a_rule_refuses_what_breaks_it(model: type[Model], rule: Rule) -> None:
    cases = [spec for start, spec in BROKEN[model].items() if rule.message.startswith(start)]
    assert len(cases) == 1, f"give BROKEN[{model.__name__}] one case for {rule.message!r}"
    assert rule.message in messages(model, KEPT[model] | cases[0])


@pytest.mark.parametrize("model", KEPT)
def test_no_rule_refuses_what_keeps_all(model: type[Model]) -> None:
    assert messages(model, KEPT[model]) == []


def test_no_status_has_rules_that_the_operator_could_break() -> None:
    found = {m for kind in KINDS.values() for m in models_of(kind.status).values() if m.rules}
    assert found == set()


@pytest.mark.parametrize(
    "source",
    [
        {"pvc": PVC},
        {"s3": {"uri": "s3://models/tiny", "path": "checkpoint", "secretRef": {"name": "s3"}}},
        {"s3": {"uri": "s3://models", "endpoint": "http://minio:9000"}},
        {"http": {"url": "https://host/tiny.tar.gz", "sha256": "0" * 64}},
        {"http": {"url": "https://host/tiny/", "secretRef": {"name": "n", "key": "k"}}},
        {"hf": {"id": "acme/tiny", "revision": "v1", "endpoint": "http://mirror"}},
        {"hf": {"id": "gpt2"}},
    ],
    ids=str,
)
@pytest.mark.parametrize("layout", ["megatron", "hf", "nemo"])
def test_models_of_every_source_and_format_are_accepted(source: Spec, layout: str) -> None:
    model = {**MODEL, "source": source, "format": layout}
    assert parse(ModelDeploymentSpec, SPEC | {"model": model}).model.format == layout


@pytest.mark.parametrize(
    ("source", "field"),
    [
        ({"s3": {"uri": "models/tiny"}}, "s3.uri"),
        ({"s3": {"uri": "s3:///tiny"}}, "s3.uri"),
        ({"s3": {"uri": "s3://models", "endpoint": "minio:9000"}}, "s3.endpoint"),
        ({"http": {"url": "ftp://host/x.tar"}}, "http.url"),
        ({"http": {"url": "https://host/x.tar", "sha256": "abc"}}, "http.sha256"),
        ({"hf": {"id": "a/b/c"}}, "hf.id"),
        ({"hf": {"id": "https://hub/a/b"}}, "hf.id"),
    ],
    ids=str,
)
def test_a_source_that_cannot_be_is_refused_by_its_field(source: Spec, field: str) -> None:
    with pytest.raises(SpecInvalidError, match=rf"spec\.model\.source\.{field}"):
        parse(ModelDeploymentSpec, SPEC | {"model": {**MODEL, "source": source}})


@pytest.mark.parametrize(
    ("gpus", "tensor", "pipeline"), [(1, 1, 1), (4, 2, 2), (0, 2, 1)], ids=["one", "four", "cpu"]
)
def test_ranks_that_fill_the_gpus_are_accepted(gpus: int, tensor: int, pipeline: int) -> None:
    split = {"parallelism": {"tensor": tensor, "pipeline": pipeline}}
    assert messages(ModelDeploymentSpec, SPEC | split | {"gpusPerNode": gpus}) == []


@pytest.mark.parametrize("budget", ["0", "-1", "0e9", "1e7"])
def test_a_budget_of_nothing_or_of_too_much_is_refused(budget: str) -> None:
    assert messages(Engine, {"kvCacheGiB": budget})


@pytest.mark.parametrize("budget", ["4", "0.25", "1e3"])
def test_a_budget_is_accepted(budget: str) -> None:
    assert messages(Engine, {"kvCacheGiB": budget}) == []


@pytest.mark.parametrize("letter", ["x", "é"])
def test_a_template_may_have_64_kib(letter: str) -> None:
    longest = letter * (65536 // len(letter.encode()))
    assert messages(ServedModel, {**MODEL, "chatTemplate": longest}) == []


@pytest.mark.parametrize("gpus", [0, 1])
@pytest.mark.parametrize("wanted", [False, True])
@pytest.mark.parametrize("feature", ["cudaGraphs", "flashDecode"])
def test_what_only_gpus_have_may_be_wanted_on_them(feature: str, wanted: bool, gpus: int) -> None:
    said = messages(ModelDeploymentSpec, SPEC | {"engine": {feature: wanted}, "gpusPerNode": gpus})
    assert bool(said) == (wanted and not gpus)


@pytest.mark.parametrize(
    "split",
    [
        {"tensor": 2, "expert": 2},
        {"tensor": 2, "expertTensor": 2, "sequence": True},
        {"context": 4, "expert": 2, "expertTensor": 2},
        {"tensor": 2, "context": 3, "expert": 6},
        {"tensor": 4, "expertTensor": 1},
    ],
    ids=str,
)
def test_experts_are_spread_over_the_ranks_of_a_stage(split: Spec) -> None:
    assert messages(Parallelism, split) == []


@pytest.mark.parametrize("split", [{"expert": 2}, {"context": 2, "expert": 4}], ids=str)
def test_experts_for_which_there_are_too_few_ranks_are_refused(split: Spec) -> None:
    assert messages(Parallelism, split)


@pytest.mark.parametrize("confidence", ["0", "1", "-0.5", "95", "0.9999999999999999"])
def test_a_confidence_outside_its_range_is_refused(confidence: str) -> None:
    assert messages(Gate, {"rules": [BOUND], "confidence": confidence})


@pytest.mark.parametrize("name", ["a", "a-1", "a" * 63])
def test_a_name_that_can_be_a_service_is_accepted(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize("name", ["", "1a", "A", "a.b", "a-", "a" * 64])
def test_a_name_that_cannot_be_a_service_is_refused(name: str) -> None:
    with pytest.raises(SpecInvalidError, match=r"metadata\.name"):
        check_name(name)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://user:pass@api.example/v1", False),
        ("http://user@api.example", False),
        ("https://api.example/@team/v1", True),
        ("https://api.example:8443", True),
    ],
)
def test_no_password_stands_in_a_url(url: str, kept: bool) -> None:
    assert bool(messages(Endpoint, {"url": url, "model": "m"})) is not kept
    assert bool(messages(Hub, {"endpoint": url})) is not kept
