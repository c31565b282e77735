"""Pydantic's JSON Schema as a structural schema."""

from typing import Annotated, Any, ClassVar, Literal

import pytest
from pydantic import Field

from proctor_crds.base import Model, Rule, keyed_by
from proctor_crds.common import Resources
from proctor_crds.crdgen import NotStructuralError, crd, schema_of, structural, undefaulted
from proctor_crds.kinds import EVALUATION_RUN, KINDS, MODEL_DEPLOYMENT


class Inner(Model):
    """The inner one."""

    rules: ClassVar = (Rule("self.size > 1", "size: take more"),)
    size: Annotated[int, Field(ge=1, le=9)] = 2
    """How much."""


class Outer(Model):
    """The outer one."""

    inner: Inner = Inner()
    """What is inside."""
    maybe: Inner | None = None
    """What may be there."""
    many: Annotated[list[Inner], Field(max_length=3, json_schema_extra=keyed_by("size"))] = []  # noqa: RUF012
    """Several."""
    by_name: dict[str, Inner] = {}  # noqa: RUF012
    """By name."""
    only: Literal["one"] = "one"
    """No choice."""


def outer(field: str) -> Any:
    return schema_of(Outer)["properties"][field]


def test_a_reference_becomes_what_it_refers_to_with_its_own_description() -> None:
    size = {"type": "integer", "minimum": 1, "maximum": 9, "default": 2, "description": "How much."}
    assert outer("inner") == {
        "type": "object",
        "description": "What is inside.",
        "default": {"size": 2},
        "properties": {"size": size},
        "x-kubernetes-validations": [{"rule": "self.size > 1", "message": "size: take more"}],
    }


def test_an_optional_field_is_plain_and_without_default() -> None:
    assert outer("maybe")["type"] == "object"
    assert outer("maybe")["description"] == "What may be there."
    assert "default" not in outer("maybe")


def test_items_and_map_values_are_resolved() -> None:
    assert outer("many")["items"]["properties"]["size"]["type"] == "integer"
    assert outer("many")["x-kubernetes-list-map-keys"] == ["size"]
    assert outer("byName")["additionalProperties"]["properties"]["size"]["type"] == "integer"


def test_a_constant_becomes_an_enumeration_of_one() -> None:
    assert outer("only")["enum"] == ["one"]
    assert "const" not in outer("only")


def test_what_crds_do_not_know_is_dropped() -> None:
    text = str(schema_of(Outer))
    assert not [word for word in ("$ref", "$defs", "'title'", "anyOf", "x-proctor") if word in text]


def test_a_property_may_be_called_like_a_keyword() -> None:
    node = {"type": "object", "properties": {"title": {"type": "string", "title": "Title"}}}
    assert structural(node, {})["properties"] == {"title": {"type": "string"}}


@pytest.mark.parametrize(
    "annotation", [int | str, Inner | list[int] | None], ids=["plain", "optional"]
)
def test_a_union_is_refused(annotation: Any) -> None:
    class Torn(Model):
        """Undecided."""

        field: annotation

    with pytest.raises(NotStructuralError, match="2 variants"):
        schema_of(Torn)


def test_a_quantity_is_an_integer_or_a_string() -> None:
    schema = schema_of(Resources)["properties"]["requests"]["additionalProperties"]
    assert schema["x-kubernetes-int-or-string"] is True
    assert schema["anyOf"] == [{"type": "integer"}, {"type": "string"}]
    assert "type" not in schema
    assert schema["minimum"] == 0


def test_null_never_enters_a_default() -> None:
    engine = schema_of(MODEL_DEPLOYMENT.spec)["properties"]["engine"]
    assert engine["default"].keys() == {"maxBatchSize", "maxSequenceLength", "dtype", "randomSeed"}


def every(node: Any) -> list[dict[str, Any]]:
    """All objects inside `node`."""
    inside = node.values() if isinstance(node, dict) else node if isinstance(node, list) else []
    found = [deeper for part in inside for deeper in every(part)]
    return [node, *found] if isinstance(node, dict) else found


def test_undefaulted_leaves_everything_but_defaults() -> None:
    before = schema_of(Outer)
    after = undefaulted(before)
    assert [s for s in every(after) if "default" in s] == []
    assert after["properties"]["inner"]["properties"]["size"]["maximum"] == 9
    assert after.keys() == before.keys()


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_crd_names_its_kind_everywhere(kind: Any) -> None:
    made = crd(kind)
    assert made["metadata"]["name"] == f"{made['spec']['names']['plural']}.{made['spec']['group']}"
    assert made["spec"]["names"]["shortNames"] == [kind.short]
    assert made["spec"]["versions"][0]["subresources"]["status"] == {}


def test_a_deployment_scales_and_a_run_does_not() -> None:
    by_kind = [
        crd(k)["spec"]["versions"][0]["subresources"] for k in (MODEL_DEPLOYMENT, EVALUATION_RUN)
    ]
    assert ["scale" in subresources for subresources in by_kind] == [True, False]


def test_a_wide_column_has_a_priority_and_others_have_none() -> None:
    columns = crd(MODEL_DEPLOYMENT)["spec"]["versions"][0]["additionalPrinterColumns"]
    wide = {column["name"]: column.get("priority") for column in columns}
    assert wide["Replicas"] == 1
    assert wide["Ready"] is None
