"""The children of a ModelDeployment, beyond what the golden files pin."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor_operator.children.naming import TEMPLATE_LABEL
from proctor_operator.children.serving import children, deployment, pod_template, service
from proctor_operator.cluster import Manifest
from proctor_operator.plan import Desired, Plan, plan
from proctor_operator.settings import Settings
from proctor_runtime.settings import Settings as ServerSettings
from proctor_runtime.settings import parse
from tests.builders import MODEL, make_deployment

few = settings(max_examples=25)

SETTINGS = Settings()


def spec_of(**fields: Any) -> Manifest:
    """The Deployment's spec."""
    made: Manifest = deployment(make_deployment(**fields), SETTINGS)["spec"]
    return made


def container_of(**fields: Any) -> Manifest:
    """The container that serves."""
    made: Manifest = spec_of(**fields)["template"]["spec"]["containers"][0]
    return made


def template_label(**fields: Any) -> str:
    """What stands for the pod template."""
    label: str = spec_of(**fields)["template"]["metadata"]["labels"][TEMPLATE_LABEL]
    return label


def test_the_service_comes_first() -> None:
    assert [c["kind"] for c in children(make_deployment(), SETTINGS)] == ["Service", "Deployment"]


def test_the_service_selects_the_pods() -> None:
    selected = service(make_deployment())["spec"]["selector"]
    assert selected.items() <= spec_of()["template"]["metadata"]["labels"].items()
    assert spec_of()["selector"]["matchLabels"] == selected


@pytest.mark.parametrize(
    "change", [{"replicas": 3}, {"gpusPerNode": 1}, {"model": MODEL | {"servedName": "x"}}], ids=str
)
def test_no_change_of_the_spec_changes_the_selector(change: Any) -> None:
    assert spec_of(**change)["selector"] == spec_of()["selector"]


def test_the_template_is_named_by_a_hash_of_itself() -> None:
    assert template_label(replicas=3) == template_label()
    assert template_label(engine={"dtype": "float32"}) != template_label()
    assert template_label(pod={"nodeSelector": {"a": "b"}}) != template_label()


def test_gpus_are_freed_before_they_are_asked_for_again() -> None:
    assert spec_of(gpusPerNode=1)["strategy"] == {"type": "Recreate"}
    assert spec_of()["strategy"]["type"] == "RollingUpdate"


def test_gpus_are_asked_for() -> None:
    split = {"gpusPerNode": 2, "parallelism": {"tensor": 2}}
    assert container_of(**split)["resources"]["limits"] == {"nvidia.com/gpu": "2"}
    assert "limits" not in container_of()["resources"]


def test_the_backend_may_bring_its_image() -> None:
    assert container_of()["image"] == SETTINGS.runtime_image
    assert container_of(backend={"triton": {"image": "mine:1"}})["image"] == "mine:1"


def test_names_are_data_and_not_references_to_variables() -> None:
    args = container_of(model=MODEL | {"servedName": "$(HOME)"})["args"]
    assert "--served-model-name=$$(HOME)" in args


def added(**fields: Any) -> set[str]:
    """The arguments that fields of the spec add."""
    return set(container_of(**fields)["args"]) - set(container_of()["args"])


@pytest.mark.parametrize(
    ("fields", "arguments"),
    [
        ({"engine": {"kvCacheGiB": "0.5"}}, {"--kv-cache-gib=0.5"}),
        ({"engine": {"prefixCaching": False}}, {"--prefix-caching=false"}),
        ({"engine": {"chunkedPrefill": True}}, {"--chunked-prefill=true"}),
        ({"engine": {"cudaGraphs": False}}, {"--cuda-graphs=false"}),
        ({"gpusPerNode": 1, "engine": {"flashDecode": True}}, {"--flash-decode=true"}),
        ({"api": {"toolCallParser": "llama3_json"}}, {"--tool-call-parser=llama3_json"}),
        ({"api": {"reasoningParser": "think"}}, {"--reasoning-parser=think"}),
        ({"api": {"maxQueuedRequests": 7}}, {"--max-queued-requests=7"}),
        ({"api": {"maxBodyBytes": 4096}}, {"--max-body-bytes=4096"}),
        ({"api": {}, "engine": {}}, set()),
    ],
    ids=str,
)
def test_what_is_set_is_an_argument(fields: Any, arguments: set[str]) -> None:
    assert added(**fields) == arguments


def test_a_chat_template_reaches_the_server_as_it_is() -> None:
    (given,) = [
        variable
        for variable in container_of(model=MODEL | {"chatTemplate": "$(HOME){{ m }}"})["env"]
        if variable["name"] == "CHAT_TEMPLATE"
    ]
    assert given["value"] == "$$(HOME){{ m }}"
    assert "CHAT_TEMPLATE" not in {variable["name"] for variable in container_of()["env"]}


def test_the_server_is_told_how_the_model_is_split() -> None:
    plain = container_of()["args"]
    sizes = {"tensor": 2, "context": 4, "expert": 8, "expertTensor": 1}
    args = container_of(parallelism={**sizes, "sequence": True})["args"]
    assert [arg for arg in args if arg not in plain] == [
        "--tensor-parallel=2",
        "--context-parallel=4",
        "--expert-parallel=8",
        "--expert-tensor-parallel=1",
        "--sequence-parallel",
    ]
    assert isinstance(parse(["serve", *args]), ServerSettings)


def test_the_overlay_reaches_the_container_by_name() -> None:
    patch = {"containers": [{"name": "server", "resources": {"limits": {"memory": "8Gi"}}}]}
    made = container_of(pod=patch)
    assert made["resources"]["limits"] == {"memory": "8Gi"}
    assert made["args"] == container_of()["args"]


@pytest.mark.parametrize("overlay", [{"labels": {"a": "b"}}, {"metadata": {"labels": {}}}], ids=str)
def test_the_overlay_cannot_touch_labels(overlay: Any) -> None:
    made = pod_template(make_deployment(pod=overlay), SETTINGS)
    assert made["metadata"] == pod_template(make_deployment(), SETTINGS)["metadata"]


names = st.from_regex(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)


@few
@given(names, st.integers(0, 1000), st.sampled_from([0, 1, 8]))
def test_children_as_desired_need_nothing(name: str, replicas: int, gpus: int) -> None:
    split = {"parallelism": {"tensor": max(gpus, 1)}, "gpusPerNode": gpus}
    made = children(make_deployment(name, replicas=replicas, **split), SETTINGS)
    assert plan(Desired(made), made) == Plan([], [])
    assert {child["metadata"]["name"] for child in made} == {name}
