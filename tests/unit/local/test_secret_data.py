"""Secrets and ConfigMaps as bytes."""

import pytest

from proctor_cli.local.secret_data import contents, encoded, illegible
from proctor_operator.cluster import Manifest


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


@pytest.mark.parametrize("text", ["YWJj", "YWI=", "YW\nJj\n", "YW\r\nJj", "", "/+=="], ids=repr)
def test_base64_is_legible_also_over_several_lines(text: str) -> None:
    assert list(illegible({"kind": "Secret", "data": {"a": text}})) == []


@pytest.mark.parametrize("text", ["abc", "YW Jj", "s3cr3t!", "YWJj=", "_-==", "é"], ids=repr)
@pytest.mark.parametrize(("kind", "field"), [("Secret", "data"), ("ConfigMap", "binaryData")])
def test_what_is_no_base64_is_named_and_not_shown(kind: str, field: str, text: str) -> None:
    source: Manifest = {"kind": kind, field: {"a": "YWJj", "b": text}}
    (said,) = illegible(source)
    assert said.startswith(f"{field}.b: illegal base64 data")
    assert text not in said


def test_the_text_of_a_config_map_need_not_be_base64() -> None:
    assert list(illegible({"kind": "ConfigMap", "data": {"a": "%"}})) == []
