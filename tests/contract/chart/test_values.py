"""Values: a wrong one is refused by name, and each is described."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.contract.chart.conftest import CHART, HelmError, Render


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("watchNamespace=[]", "watchNamespace"),
        ('watchNamespaces="team-a"', "/watchNamespaces"),
        ('watchNamespaces=["Team"]', "/watchNamespaces/0"),
        ('images.runtime.digest="latest"', "/images/runtime/digest"),
        ('images.operator.repo="x"', "repo"),
        ('images.pullPolicy="Sometimes"', "/images/pullPolicy"),
        ('crds.install="yes"', "/crds/install"),
        ("replicas=-1", "/replicas"),
        ('metrics.podMonitor.create="yes"', "/metrics/podMonitor/create"),
        ("networkPolicy.apiServer.ports=[0]", "/networkPolicy/apiServer/ports/0"),
        ('pod.labels={"a":1}', "/pod/labels/a"),
        ('pod.labels={"app.kubernetes.io/name":"mine"}', "app.kubernetes.io/name"),
        ("serviceAccount.create=false", "name the account in serviceAccount.name"),
    ],
)
def test_a_wrong_value_is_refused_by_name(render: Render, value: str, named: str) -> None:
    with pytest.raises(HelmError) as refused:
        render(value)
    assert named in str(refused.value)


def properties(schema: dict[str, Any], definitions: dict[str, Any], path: str) -> Iterator[Any]:
    """Every property below `schema`: its path, itself, and the object that it stands for."""
    for name, declared in schema.get("properties", {}).items():
        meant = definitions.get(declared.get("$ref", "").rpartition("/")[2], declared)
        yield f"{path}{name}", declared, meant
        yield from properties(meant, definitions, f"{path}{name}.")


def test_every_value_is_described_and_every_object_is_closed() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    for path, declared, meant in properties(schema, schema["$defs"], ""):
        assert declared.get("description"), path
        open_by_nature = path in ("global", "pod.affinity")
        assert meant.get("type") != "object" or "additionalProperties" in meant or open_by_nature


def leaves(values: dict[str, Any], path: str = "") -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{path}{name}.")
        else:
            yield f"{path}{name}"


def test_readme_lists_every_value() -> None:
    text = (CHART / "README.md").read_text()
    of_each_image = ("images.operator.", "images.runtime.", "images.harness")
    for leaf in leaves(yaml.safe_load((CHART / "values.yaml").read_text())):
        common = leaf.endswith((".tag", ".digest")) and leaf.startswith(of_each_image)
        name = f"images.*.{leaf.rpartition('.')[2]}" if common else leaf
        # Quantities are listed by their parent.
        assert f"`{name}`" in text or f"`{name.rpartition('.')[0]}`" in text, leaf
