"""What the real apiserver refuses, and in which words."""

import copy
from pathlib import Path

import pytest
import yaml

from tests.kube import Kubectl, Manifest, RefusedError

pytestmark = pytest.mark.apiserver
EXAMPLES = Path("examples/arithmetic")
DEPLOYMENT = yaml.safe_load((EXAMPLES / "modeldeployment.yaml").read_text())
RUN = yaml.safe_load((EXAMPLES / "evaluationrun.yaml").read_text())


def changed(base: Manifest, path: str, value: object) -> Manifest:
    """`base` with one field set; `path` is dotted, digits index lists, None removes."""
    result = copy.deepcopy(base)
    *parents, last = path.split(".")
    at = result
    for step in parents:
        at = at[int(step)] if isinstance(at, list) else at.setdefault(step, {})
    if value is None:
        del at[last]
    else:
        at[last] = value
    return result


REFUSED: dict[str, tuple[Manifest, str]] = {
    "unknown backend": (
        changed(changed(DEPLOYMENT, "spec.backend.triton", None), "spec.backend.tritn", {}),
        "field not declared in schema",
    ),
    "no backend": (
        changed(DEPLOYMENT, "spec.backend", {}),
        "backend: set exactly one of triton, rayServe, vllm",
    ),
    "two backends": (
        changed(DEPLOYMENT, "spec.backend", {"triton": {}, "vllm": {}}),
        "backend: set exactly one of triton, rayServe, vllm",
    ),
    "backend of a later version": (
        changed(DEPLOYMENT, "spec.backend", {"vllm": {}}),
        "vllm is not available in this version: use triton",
    ),
    "world size": (
        changed(changed(DEPLOYMENT, "spec.gpusPerNode", 4), "spec.parallelism.tensor", 3),
        "parallelism.tensor × pipeline × context must equal nodes × gpusPerNode",
    ),
    "no model source": (
        changed(DEPLOYMENT, "spec.model.source", {}),
        "model.source: set exactly one of pvc, s3, oci, hf, http",
    ),
    "a source of a later version": (
        changed(DEPLOYMENT, "spec.model.source", {"oci": {"image": "models/tiny"}}),
        "oci is not available in this version: use s3, hf or http",
    ),
    "two sources": (
        changed(DEPLOYMENT, "spec.model.source.hf", {"id": "acme/tiny"}),
        "model.source: set exactly one of pvc, s3, oci, hf, http",
    ),
    "no bucket": (
        changed(DEPLOYMENT, "spec.model.source", {"s3": {"uri": "https://bucket"}}),
        "spec.model.source.s3.uri in body should match",
    ),
    "unknown format": (
        changed(DEPLOYMENT, "spec.model.format", "gguf"),
        'Unsupported value: "gguf": supported values: "megatron", "hf", "nemo"',
    ),
    "remote code": (
        changed(DEPLOYMENT, "spec.model.trustRemoteCode", True),
        "trustRemoteCode other than false is not available",
    ),
    "several nodes": (
        changed(DEPLOYMENT, "spec.nodes", 2),
        "nodes other than 1 is not available in this version",
    ),
    "autoscaling": (
        changed(DEPLOYMENT, "spec.autoscaling", {"max": 3}),
        "autoscaling is not available in this version: set replicas",
    ),
    "long name": (
        changed(DEPLOYMENT, "metadata.name", "a" * 64),
        "metadata.name: use at most 63 of a-z",
    ),
    "unknown harness": (
        changed(RUN, "spec.evaluations.0.harness", "lm-evl"),
        'Unsupported value: "lm-evl": supported values: "lm-eval"',
    ),
    "no tasks": (
        changed(RUN, "spec.evaluations.0.tasks", []),
        "spec.evaluations[0].tasks in body should have at least 1 items",
    ),
    "two targets": (
        changed(RUN, "spec.target.endpoint", {"url": "http://x", "model": "m"}),
        "target: set exactly one of deploymentRef, deployment, endpoint",
    ),
    "an endpoint with a query": (
        changed(RUN, "spec.target", {"endpoint": {"url": "http://x/v1?version=1", "model": "m"}}),
        "endpoint.url: leave out what begins with ? or #",
    ),
    "shards of a harness that has none": (
        changed(
            changed(RUN, "spec.evaluations.0.harness", "container"),
            "spec.evaluations.0.shards",
            2,
        ),
        "shards: nothing tells the framework of a container to ask but a share",
    ),
    "a judge that nobody asks": (
        changed(RUN, "spec.evaluations.0.judgeRef", {"name": "guard"}),
        "judgeRef: only safety-harness and container ask a judge",
    ),
    "an image of a known harness": (
        changed(RUN, "spec.evaluations.0.image", "registry.example.com/mine:1"),
        "image: name an Eval-Factory image where harness is container",
    ),
    "graphs without a GPU": (
        changed(DEPLOYMENT, "spec.engine.cudaGraphs", True),
        "engine.cudaGraphs true needs GPUs: set gpusPerNode",
    ),
    "a budget of nothing": (
        changed(DEPLOYMENT, "spec.engine.kvCacheGiB", "0"),
        "kvCacheGiB must",
    ),
    "a template of more bytes than letters": (
        changed(DEPLOYMENT, "spec.model.chatTemplate", "é" * 40_000),
        "chatTemplate must have at most 65536 bytes in UTF-8",
    ),
    "an unknown parser": (
        changed(DEPLOYMENT, "spec.api", {"toolCallParser": "hermez"}),
        'Unsupported value: "hermez": supported values: "hermes"',
    ),
    "experts over too few ranks": (
        changed(DEPLOYMENT, "spec.parallelism", {"tensor": 2, "expert": 4}),
        "parallelism.expert × expertTensor",
    ),
    "same evaluation twice": (
        changed(RUN, "spec.evaluations", [RUN["spec"]["evaluations"][0]] * 2),
        "duplicate",
    ),
    "same task twice": (
        changed(RUN, "spec.evaluations.0.tasks", ["arithmetic_mc", "arithmetic_mc"]),
        "duplicate entries for key",
    ),
    "unknown field beside the spec": (
        changed(RUN, "sepc", 1),
        ".sepc: field not declared in schema",
    ),
    "number as a label": (
        changed(RUN, "metadata.labels", {"tier": 1}),
        "ObjectMeta.metadata.labels of type string",
    ),
    "number as an annotation": (
        changed(RUN, "metadata.annotations", {"attempt": 1}),
        "ObjectMeta.metadata.annotations of type string",
    ),
    "float in a gate": (
        changed(RUN, "spec.gate.rules.0.min", 0.5),
        "expected string",
    ),
    "gate without bound": (
        changed(RUN, "spec.gate.rules.0.min", None),
        "gate rule: set min, max or both",
    ),
    "gate on no evaluation": (
        changed(RUN, "spec.gate.rules.0.evaluation", "other"),
        "gate rule: evaluation must be the name of one of spec.evaluations",
    ),
    "amount with a space": (
        changed(RUN, "spec.evaluations.0.resources", {"requests": {"memory": "1 GB"}}),
        "spec.evaluations[0].resources.requests.memory in body should match",
    ),
    "amount below zero": (
        changed(RUN, "spec.evaluations.0.resources", {"requests": {"cpu": -1}}),
        "spec.evaluations[0].resources.requests.cpu in body should be greater than or equal to 0",
    ),
    "fraction as an amount": (
        changed(RUN, "spec.evaluations.0.resources", {"requests": {"cpu": 0.5}}),
        "spec.evaluations[0].resources.requests.cpu",
    ),
    "no samples": (
        changed(RUN, "spec.evaluations.0.params.limitSamples", 0),
        "should be greater than or equal to 1",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused_with_the_remedy(kubectl: Kubectl, case: str) -> None:
    manifest, words = REFUSED[case]
    with pytest.raises(RefusedError) as refusal:
        kubectl.apply(manifest)
    assert words in str(refusal.value)


@pytest.mark.parametrize("path", sorted(Path("examples").glob("*/*.yaml")), ids=str)
def test_the_examples_are_taken(kubectl: Kubectl, path: Path) -> None:
    kubectl.apply(*yaml.safe_load_all(path.read_text()))


@pytest.mark.parametrize("cpu", [1, "1", "500m"], ids=repr)
def test_an_amount_is_taken_as_number_and_as_text(kubectl: Kubectl, cpu: int | str) -> None:
    kubectl.apply(changed(RUN, "spec.evaluations.0.resources", {"requests": {"cpu": cpu}}))
    stored = kubectl.get("evaluationrun", "arithmetic")
    assert stored
    assert stored["spec"]["evaluations"][0]["resources"]["requests"] == {"cpu": cpu}


def test_a_gate_names_filter_and_evaluation(kubectl: Kubectl) -> None:
    name = RUN["spec"]["evaluations"][0]["name"]
    rule = RUN["spec"]["gate"]["rules"][0] | {"filter": "strict-match", "evaluation": name}
    kubectl.apply(changed(RUN, "spec.gate.rules", [rule]))
    stored = kubectl.get("evaluationrun", "arithmetic")
    assert stored
    assert stored["spec"]["gate"]["rules"] == [rule]


def test_defaults_are_stored(kubectl: Kubectl) -> None:
    kubectl.apply(DEPLOYMENT)
    stored = kubectl.get("modeldeployment", "arithmetic")
    assert stored
    assert stored["spec"]["parallelism"]["tensor"] == 1
    assert stored["spec"]["engine"]["randomSeed"] == 1234


def test_kubectl_get_shows_what_a_person_wants_to_know(kubectl: Kubectl) -> None:
    kubectl.apply(DEPLOYMENT, RUN)
    assert kubectl("get", "md").split("\n")[0].split() == [
        "NAME",
        "MODEL",
        "READY",
        "REASON",
        "ENDPOINT",
        "AGE",
    ]
    assert kubectl("get", "er").split("\n")[0].split() == [
        "NAME",
        "TARGET",
        "PROGRESS",
        "SUCCEEDED",
        "SCORE",
        "GATE",
        "AGE",
    ]
