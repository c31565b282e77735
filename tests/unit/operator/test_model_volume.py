"""Where a pod gets the model from, beyond what the golden files pin."""

from typing import Any

import pytest

from proctor_operator.children.serving import pod_template
from proctor_operator.cluster import Manifest
from proctor_operator.settings import Settings
from tests.builders import MODEL, make_deployment

KEY = {"name": "secrets", "key": "token"}
SOURCES: dict[str, Manifest] = {
    "s3": {"s3": {"uri": "s3://models/tiny", "secretRef": {"name": "secrets"}}},
    "http": {"http": {"url": "https://host/tiny.zip", "secretRef": KEY}},
    "hf": {"hf": {"id": "acme/tiny", "secretRef": KEY}},
}
each_source = pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)


def pod(source: Manifest, **spec: Any) -> Manifest:
    """The spec of a deployment's pod."""
    owner = make_deployment(model=MODEL | {"source": source}, **spec)
    made: Manifest = pod_template(owner, Settings())["spec"]
    return made


def volume(made: Manifest) -> Manifest:
    """The volume with the model."""
    (found,) = [each for each in made["volumes"] if each["name"] == "model"]
    return dict(found)


def test_a_claim_is_fetched_by_nobody() -> None:
    made = pod(MODEL["source"])
    assert "initContainers" not in made
    assert volume(made)["persistentVolumeClaim"] == {"claimName": "models", "readOnly": True}


@each_source
def test_the_server_reads_no_secret_and_only_reads_the_model(source: Manifest) -> None:
    (server,) = pod(source)["containers"]
    assert not [variable for variable in server["env"] if "valueFrom" in variable]
    (mount,) = [each for each in server["volumeMounts"] if each["name"] == "model"]
    assert mount["readOnly"] is True


@each_source
def test_who_fetches_runs_the_servers_image(source: Manifest) -> None:
    made = pod(source, backend={"triton": {"image": "mine:1"}})
    images = [each["image"] for each in (*made["initContainers"], *made["containers"])]
    assert images == ["mine:1", "mine:1"]


@each_source
def test_without_a_secret_none_is_referred_to(source: Manifest) -> None:
    ((kind, fields),) = source.items()
    open_to_all = {key: value for key, value in fields.items() if key != "secretRef"}
    (fetch,) = pod({kind: open_to_all})["initContainers"]
    assert not [variable for variable in fetch["env"] if "valueFrom" in variable]


def test_a_session_token_may_be_absent() -> None:
    (fetch,) = pod(SOURCES["s3"])["initContainers"]
    keys = [e["valueFrom"]["secretKeyRef"] for e in fetch["env"] if "valueFrom" in e]
    assert {key["key"]: key["optional"] for key in keys} == {
        "AWS_ACCESS_KEY_ID": False,
        "AWS_SECRET_ACCESS_KEY": False,
        "AWS_SESSION_TOKEN": True,
    }


@each_source
def test_a_larger_volume_may_take_the_place_of_the_pods_own(source: Manifest) -> None:
    claim = {"claimName": "large"}
    larger = {"name": "model", "persistentVolumeClaim": claim}
    assert volume(pod(source, pod={"volumes": [larger]})) == larger


@pytest.mark.parametrize("value", ["$(HOME)/x", "$$"])
def test_what_a_source_is_called_is_data(value: str) -> None:
    (fetch,) = pod({"hf": {"id": "acme/tiny", "revision": value}})["initContainers"]
    assert f"--revision={value.replace('$', '$$')}" in fetch["args"]
