"""Secrets and ConfigMaps as bytes."""

from proctor_cli.local.secret_data import contents, encoded


def test_text_is_encoded_over_what_was_there() -> None:
    secret = {"kind": "Secret", "data": {"a": "eA==", "b": "eQ=="}, "stringData": {"a": "abc"}}
    assert encoded(secret) == {"kind": "Secret", "data": {"a": "YWJj", "b": "eQ=="}}
    assert contents(encoded(secret)) == {"a": b"abc", "b": b"y"}


def test_nothing_stays_nothing() -> None:
    assert encoded({"kind": "Secret"}) == {"kind": "Secret"}
    assert contents({"kind": "Secret"}) == {}


def test_a_config_map_has_text_and_bytes() -> None:
    found = contents({"kind": "ConfigMap", "data": {"a": "1"}, "binaryData": {"b": "/w=="}})
    assert found == {"a": b"1", "b": b"\xff"}
