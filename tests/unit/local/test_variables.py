from typing import Any

import pytest

from proctor_cli.local.variables import ConfigError, command_line, environment, expand
from proctor_operator.cluster import Manifest, Ref

POD: Manifest = {
    "metadata": {"name": "p", "namespace": "ns", "uid": "1", "labels": {"app": "x"}},
    "spec": {},
}
SETTINGS: Manifest = {"kind": "ConfigMap", "data": {"A": "1", "B": "$(A)"}}
KEY: Manifest = {"kind": "Secret", "data": {"token": "YWJj"}}


def lookup(ref: Ref) -> Manifest | None:
    assert (ref.api_version, ref.namespace) == ("v1", "ns")
    return {("ConfigMap", "settings"): SETTINGS, ("Secret", "key"): KEY}.get((ref.kind, ref.name))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)", "1"),
        ("$(A)$(B)", "12"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$(NONE)", "$(NONE)"),
        ("$A", "$A"),
        ("$", "$"),
        ("$(A", "$(A"),
        ("$()", "$()"),
    ],
)
def test_expand(text: str, expected: str) -> None:
    assert expand(text, {"A": "1", "B": "2"}) == expected


def variables(*env: Manifest, **fields: Any) -> dict[str, str]:
    return environment({"env": list(env), **fields}, POD, {"PORT_HTTP": "4711"}, lookup)


def test_later_entries_refer_to_earlier_ones_and_to_overrides() -> None:
    found = variables(
        {"name": "URL", "value": "$(PORT_HTTP)"},
        {"name": "PORT_HTTP", "value": "80"},
        {"name": "LATER", "value": "http://x:$(PORT_HTTP)"},
    )
    assert found == {"URL": "$(PORT_HTTP)", "PORT_HTTP": "4711", "LATER": "http://x:4711"}


def test_overrides_alone_declare_nothing() -> None:
    assert variables() == {}


def test_whole_sources_come_first_and_unexpanded() -> None:
    sources = [{"configMapRef": {"name": "settings"}, "prefix": "P_"}]
    found = variables({"name": "C", "value": "$(P_A)"}, envFrom=sources)
    assert found == {"P_A": "1", "P_B": "$(A)", "C": "1"}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"secretKeyRef": {"name": "key", "key": "token"}}, "abc"),
        ({"configMapKeyRef": {"name": "settings", "key": "A"}}, "1"),
        ({"fieldRef": {"fieldPath": "metadata.namespace"}}, "ns"),
        ({"fieldRef": {"fieldPath": "status.podIP"}}, "127.0.0.1"),
        ({"fieldRef": {"fieldPath": "metadata.labels['app']"}}, "x"),
        ({"secretKeyRef": {"name": "none", "key": "token", "optional": True}}, None),
        ({"secretKeyRef": {"name": "key", "key": "none", "optional": True}}, None),
    ],
)
def test_values_from_elsewhere(source: Manifest, expected: str | None) -> None:
    assert variables({"name": "X", "valueFrom": source}).get("X") == expected


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"secretKeyRef": {"name": "none", "key": "k"}}, 'secret "none" not found'),
        ({"configMapKeyRef": {"name": "none", "key": "k"}}, 'configmap "none" not found'),
        ({"secretKeyRef": {"name": "key", "key": "k"}}, "couldn't find key k in Secret ns/key"),
        ({"fieldRef": {"fieldPath": "spec.x"}}, "fieldRef spec.x is unknown"),
        ({"resourceFieldRef": {}}, "no source resourceFieldRef"),
    ],
)
def test_what_cannot_be_found_is_named(source: Manifest, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        variables({"name": "X", "valueFrom": source})


def test_a_command_is_needed() -> None:
    assert command_line({"command": ["a"], "args": ["$(B)"]}, {"B": "c"}) == ["a", "c"]
    with pytest.raises(ConfigError, match="no command"):
        command_line({}, {})
