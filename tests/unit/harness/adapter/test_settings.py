import json
from pathlib import Path
from typing import Any

import pytest

from proctor_harness.adapter import chain
from proctor_harness.adapter.configuration import ConfigurationError
from proctor_harness.adapter.http.pool import Server
from proctor_harness.adapter.interceptors import endpoint
from proctor_harness.adapter.settings import Settings, settings, target

POD = {"UPSTREAM_URL": "http://model:8080", "MOUNT_ARTIFACTS": "/artifacts"}


def parsed(**changes: str) -> Settings:
    return settings(POD | changes)


def cache(given: Settings) -> dict[str, Any]:
    return next(e.config for e in given.config.interceptors if e.name == "caching")


def test_the_pod_says_where_and_whom() -> None:
    given = parsed(PORT_ADAPTER="9101", BIND_ADDRESS="10.0.0.1", API_KEY="k")
    assert (given.port, given.bind_address, given.api_key) == (9101, "10.0.0.1", "k")
    assert given.artifacts == Path("/artifacts")
    assert cache(given)["cache_dir"] == "/artifacts/cache"


def test_answers_are_given_again_only_where_it_is_known_whose_they_are() -> None:
    assert not cache(parsed())["reuse_cached_responses"]
    assert cache(parsed(MODEL_IDENTITY="digest"))["reuse_cached_responses"]
    assert cache(parsed(ADAPTER_CONFIG="use_caching: true"))["reuse_cached_responses"]


def test_where_that_is_known_every_chain_resumes() -> None:
    listed = {"ADAPTER_CONFIG": "interceptors: [endpoint]"}
    assert [entry.name for entry in parsed(**listed).config.interceptors] == ["endpoint"]
    assert cache(parsed(MODEL_IDENTITY="digest", **listed))["reuse_cached_responses"]


def test_the_identity_is_the_address_where_there_is_no_better() -> None:
    assert parsed().identity == "http://model:8080"
    assert parsed(MODEL_IDENTITY="digest").identity == "digest"


def test_each_start_is_a_session_unless_the_pod_has_one() -> None:
    assert parsed().session != parsed().session
    assert parsed(SESSION="uid").session == "uid"


@pytest.mark.parametrize("port", ["many", "-1", ""])
def test_a_port_is_a_number(port: str) -> None:
    with pytest.raises(ConfigurationError, match="PORT_ADAPTER="):
        parsed(PORT_ADAPTER=port)


def test_the_target_is_the_pods() -> None:
    found = target(parsed(API_KEY="k"), endpoint.Config(request_timeout=5))
    assert (found.server.authority, found.api_key, found.timeout_seconds) == ("model:8080", "k", 5)


@pytest.mark.parametrize(("given", "key"), [("k\n", "k"), (" k\r\n", "k"), ("\n", None)])
def test_a_key_has_no_end_of_line(given: str, key: str | None) -> None:
    """A Secret that was made of a file has one, and no header may."""
    assert parsed(API_KEY=given).api_key == key
    configured = endpoint.Config.model_validate({"api_key": given})
    assert target(parsed(), configured).api_key == key
    assert target(parsed(API_KEY="k"), configured).api_key == "k"


def test_without_a_pod_the_configuration_names_it() -> None:
    config = endpoint.Config(upstream_url="https://gw/openai", api_key="k")  # type: ignore[arg-type]
    found = target(parsed(UPSTREAM_URL=""), config)
    assert (found.url, found.api_key, found.server.prefix) == ("https://gw/openai", "k", "/openai")


@pytest.mark.parametrize(
    ("config", "retries"),
    [
        ({}, 5),
        ({"interceptors": ["caching"]}, 5),
        ({"interceptors": [{"name": "endpoint", "config": {"request_timeout": 9}}]}, 5),
        ({"interceptors": [{"name": "endpoint", "config": {"max_retries": 0}}]}, 0),
        ({"max_retries": 2}, 2),
    ],
    ids=["flags", "not listed", "silent", "says none", "says so"],
)
def test_the_pod_says_how_often_to_ask_again_unless_the_configuration_does(
    config: dict[str, Any], retries: int
) -> None:
    given = parsed(MAX_RETRIES="5", ADAPTER_CONFIG=json.dumps(config))
    assert chain.target(chain.links(given.config)).max_retries == retries


@pytest.mark.parametrize("field", ["upstream_url", "api_key"])
def test_a_configuration_does_not_redirect_the_run(field: str) -> None:
    config = endpoint.Config.model_validate({field: "http://elsewhere"})
    with pytest.raises(ConfigurationError, match=f"endpoint.{field}: the run has one of its own"):
        target(parsed(API_KEY="k"), config)


@pytest.mark.parametrize("url", ["", "model:8080", "ftp://model", "http://"])
def test_a_target_needs_a_url(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"UPSTREAM_url=.*give a URL like"):
        target(parsed(UPSTREAM_URL=url), endpoint.Config())


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("http://model:8080/", Server("model", 8080, tls=False, prefix="")),
        ("https://api.example/v2/", Server("api.example", 443, tls=True, prefix="/v2")),
        ("http://[::1]:80", Server("::1", 80, tls=False, prefix="")),
    ],
)
def test_urls(url: str, server: Server) -> None:
    assert Server.at(url) == server


def test_the_host_header_leaves_a_usual_port_out() -> None:
    urls = ("http://a", "http://a:8080", "https://a:443", "http://[::1]:81")
    assert [Server.at(url).authority for url in urls] == ["a", "a:8080", "a", "[::1]:81"]


def test_a_pod_that_asks_a_share_has_a_folder_of_its_own() -> None:
    given = parsed(SHARD_INDEX="2", MODEL_IDENTITY="digest")
    assert given.artifacts == Path("/artifacts/shards/2")
    assert cache(given)["cache_dir"] == "/artifacts/shards/2/cache"
    assert given.shards is None


def test_any_other_pod_begins_with_the_answers_of_all() -> None:
    given = parsed(MODEL_IDENTITY="digest")
    assert given.artifacts == Path("/artifacts")
    assert given.shards == Path("/artifacts/shards")


@pytest.mark.parametrize(
    "config",
    [
        {"interceptors": [{"name": "caching", "config": {"reuse_cached_responses": False}}]},
        {"interceptors": [{"name": "caching", "config": {"bypass": True}}, "endpoint"]},
        {"interceptors": [{"name": "caching", "enabled": False}, "endpoint"]},
        {"use_caching": False},
    ],
    ids=["asks anew", "bypassed", "off", "flag"],
)
def test_answers_that_are_not_kept_cannot_be_shared(config: dict[str, Any]) -> None:
    told = {"MODEL_IDENTITY": "digest", "ADAPTER_CONFIG": json.dumps(config)}
    parsed(**told)
    with pytest.raises(ConfigurationError, match="caching: the pods of a sharded evaluation"):
        parsed(**told, SHARD_INDEX="0")
