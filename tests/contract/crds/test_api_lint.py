"""A miniature API linter: what Kubernetes' conventions ask of every field of our CRDs."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from proctor_crds.crdgen import crd
from proctor_crds.kinds import KINDS, Kind

Schema = dict[str, Any]
OPEN = "x-kubernetes-preserve-unknown-fields"
STANDARD = {"apiVersion", "kind", "metadata"}


def below(schema: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    """`schema` and every schema within it."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from below(child, f"{path}.{name}")
    if "items" in schema:
        yield from below(schema["items"], f"{path}[]")
    if "additionalProperties" in schema:
        yield from below(schema["additionalProperties"], f"{path}{{}}")


def schemas(kind: Kind, part: str) -> list[tuple[str, Schema]]:
    """Every schema of a kind's spec or status."""
    version = crd(kind)["spec"]["versions"][0]
    root = version["schema"]["openAPIV3Schema"]
    return list(below(root["properties"][part], f"{kind.name}.{part}"))


SPECS = [pair for kind in KINDS.values() for pair in schemas(kind, "spec")]
STATUSES = [pair for kind in KINDS.values() for pair in schemas(kind, "status")]
ALL = SPECS + STATUSES
UNIONS = [s for _, s in ALL if s.get("x-kubernetes-int-or-string") and "type" not in s]


def faulty(pairs: list[tuple[str, Schema]], kind: str, *required: str) -> list[str]:
    """Paths of schemas of type `kind` that lack one of `required`."""
    found = [(path, s) for path, s in pairs if s.get("type") == kind and "enum" not in s]
    return [path for path, s in found if any(field not in s for field in required)]


def test_every_property_is_described() -> None:
    bare = [
        f"{path}.{name}"
        for path, schema in ALL
        for name, child in schema.get("properties", {}).items()
        if not child.get("description", "").strip()
    ]
    assert bare == []


def test_every_description_is_a_sentence() -> None:
    texts = [(path, s["description"]) for path, s in ALL if "description" in s]
    assert [path for path, text in texts if not text.rstrip().endswith(".")] == []


def test_every_schema_has_a_known_type() -> None:
    known = {"object", "array", "string", "integer", "boolean"}
    assert [path for path, s in ALL if s.get("type") not in known and s not in UNIONS] == []


def test_a_union_of_integer_and_string_is_bounded_on_both_sides() -> None:
    assert UNIONS
    for schema in UNIONS:
        assert schema["anyOf"] == [{"type": "integer"}, {"type": "string"}]
        assert {"minimum", "maxLength", "pattern"} <= schema.keys()


def test_no_schema_admits_anything_by_accident() -> None:
    objects = [(path, s) for path, s in ALL if s.get("type") == "object"]
    ways = ("properties", "additionalProperties", OPEN)
    assert [path for path, s in objects if not any(way in s for way in ways)] == []


def test_every_open_object_says_what_it_is_for() -> None:
    by_path = dict(ALL)
    unexplained = [
        path
        for path, s in ALL
        if s.get(OPEN) and "description" not in s | by_path[path.removesuffix("[]")]
    ]
    assert unexplained == []


def test_every_list_is_bounded_and_merges_in_a_stated_way() -> None:
    assert faulty(ALL, "array", "maxItems", "x-kubernetes-list-type") == []


def test_every_list_merged_by_key_requires_its_key() -> None:
    lists = [(p, s) for p, s in ALL if s.get("x-kubernetes-list-type") == "map"]
    loose = [
        path
        for path, s in lists
        if not set(s["x-kubernetes-list-map-keys"]) <= set(s["items"].get("required", []))
    ]
    assert loose == []


def test_every_string_is_bounded() -> None:
    assert faulty(ALL, "string", "maxLength") == []


def test_every_map_is_bounded() -> None:
    maps = [(path, s) for path, s in ALL if "additionalProperties" in s]
    assert [path for path, s in maps if "maxProperties" not in s] == []


def test_every_integer_of_a_spec_is_bounded() -> None:
    assert faulty(SPECS, "integer", "minimum", "maximum") == []


def test_every_integer_of_a_status_counts_up_from_zero() -> None:
    assert faulty(STATUSES, "integer", "minimum") == []


def test_a_status_has_no_defaults() -> None:
    # The apiserver would add them to what the operator wrote, and the two would differ for ever.
    assert [path for path, s in STATUSES if "default" in s] == []


def test_no_default_holds_null() -> None:
    assert [path for path, s in ALL if "None" in str(s.get("default", ""))] == []


def test_names_are_camel_case_and_tell_no_phase() -> None:
    names = {name for _, s in ALL for name in s.get("properties", {})}
    assert {n for n in names if n == "phase" or not re.fullmatch(r"[a-z][A-Za-z0-9]*", n)} == set()


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_only_standard_fields_stand_beside_spec_and_status(kind: Kind) -> None:
    root = crd(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert set(root["properties"]) == STANDARD | {"spec", "status"}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_rule_says_what_to_do(kind: Kind) -> None:
    rules = [
        rule
        for part in ("spec", "status")
        for _, s in schemas(kind, part)
        for rule in s.get("x-kubernetes-validations", [])
    ]
    assert rules
    assert [rule for rule in rules if len(rule["message"]) < 20] == []


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_printer_columns_point_at_fields_that_exist(kind: Kind) -> None:
    paths = {
        path.split(".", 1)[1] for part in ("spec", "status") for path, _ in schemas(kind, part)
    }
    fields = [c.path.lstrip(".").split("[?")[0] for c in kind.columns]
    assert {f for f in fields if not f.startswith("metadata.")} <= paths
