import json
from pathlib import Path
from typing import Any

import pytest

from proctor_harness.adapter.configuration import AdapterConfig, ConfigurationError
from proctor_harness.adapter.load import document, load, resuming


def chain(config: AdapterConfig) -> dict[str, dict[str, Any]]:
    return {entry.name: entry.config for entry in config.interceptors}


def two_discoveries(shared: Any, own: Any) -> dict[str, Any]:
    return {
        "global_adapter_config": {"discovery": shared},
        "target": {"api_endpoint": {"adapter_config": {"discovery": own}}},
    }


def test_a_document_is_yaml_or_json_or_the_path_of_either(tmp_path: Path) -> None:
    fields = {"interceptors": ["endpoint"]}
    path = tmp_path / "adapter.yaml"
    path.write_text("interceptors:\n- endpoint\n")
    assert document("interceptors: [endpoint]") == fields
    assert document(json.dumps(fields)) == fields
    assert document(str(path)) == fields
    assert document("") == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[1]", "give a mapping, not list"),
        ("a: [", "cannot be read"),
        ("/no/file", "cannot be read"),
    ],
)
def test_what_is_no_document_is_refused(text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        document(text)


def test_nothing_is_the_default_chain() -> None:
    config = load({}, "/out")
    assert chain(config) == {
        "caching": {
            "cache_dir": "/out/cache",
            "reuse_cached_responses": True,
            "save_requests": True,
            "save_responses": True,
            "max_saved_requests": 5,
            "max_saved_responses": 5,
        },
        "endpoint": {},
        "response_stats": {
            "cache_dir": "/out/response_stats_cache",
            "logging_aggregated_stats_interval": 100,
        },
    }
    [hook] = config.post_eval_hooks
    assert hook.name == "post_eval_report"
    assert hook.config == {"report_types": ["html", "json"], "html_report_size": 5}


def test_flags_add_links_in_their_order() -> None:
    flags = {
        "use_system_prompt": True,
        "custom_system_prompt": "Be brief.",
        "params_to_add": {"top_k": 1},
        "use_request_logging": True,
        "max_logged_requests": 3,
        "use_response_logging": True,
        "process_reasoning_traces": True,
        "end_reasoning_token": "</r>",
        "use_progress_tracking": True,
        "use_raise_client_errors": True,
        "generate_html_report": False,
    }
    config = load(flags)
    assert list(chain(config)) == [
        "system_message",
        "payload_modifier",
        "request_logging",
        "caching",
        "endpoint",
        "response_stats",
        "response_logging",
        "reasoning",
        "progress_tracking",
        "raise_client_errors",
    ]
    assert chain(config)["system_message"] == {"system_message": "Be brief."}
    assert chain(config)["request_logging"]["max_requests"] == 3
    assert chain(config)["reasoning"]["end_reasoning_token"] == "</r>"
    assert chain(config)["progress_tracking"]["request_method"] == "POST"
    assert config.post_eval_hooks == []


def test_without_cache_and_report_nothing_is_stored() -> None:
    flags = {"use_caching": False, "generate_html_report": False, "tracking_requests_stats": False}
    assert chain(load(flags)) == {"endpoint": {}}


def test_a_cloud_function_is_asked_in_its_own_way() -> None:
    assert "nvcf" in chain(load({"use_nvcf": True}))


def test_a_bare_name_is_an_entry() -> None:
    config = load({"interceptors": ["endpoint", {"name": "log_tokens"}]})
    assert chain(config) == {"endpoint": {}, "log_tokens": {}}


def test_a_whole_run_configuration_is_understood() -> None:
    own = {"interceptors": ["endpoint"], "discovery": {"dirs": ["/own"]}}
    found = load(
        {
            "config": {"output_dir": "/results"},
            "target": {"api_endpoint": {"url": "http://x", "adapter_config": own}},
            "global_adapter_config": {
                "log_failed_requests": True,
                "discovery": {"modules": ["shared"], "dirs": ["/shared"]},
            },
        }
    )
    assert found.log_failed_requests
    assert found.discovery.modules == ["shared"]
    assert found.discovery.dirs == ["/shared", "/own"]


def test_parts_that_are_empty_are_as_if_absent() -> None:
    assert chain(load({"adapter_config": None})) == chain(load({}))
    assert chain(load({"target": None, "config": None})) == chain(load({}))


def test_a_runs_output_directory_is_the_flags() -> None:
    found = load({"config": {"output_dir": "/results"}, "target": {"api_endpoint": {}}}, "/else")
    assert chain(found)["caching"]["cache_dir"] == "/results/cache"


def test_the_newer_generation_lists_no_endpoint_and_reuses_what_it_stored() -> None:
    proxy = {
        "interceptors": [{"name": "caching", "config": {"cache_dir": "/c"}}, "reasoning"],
        "extra_body": {"top_k": 1},
        "request_timeout": 30,
        "max_retries": 2,
        "retry_on_status": [500],
        "max_concurrent_upstream": 8,
        "verbose": True,
    }
    assert chain(load(proxy)) == {
        "logging": {},
        "caching": {"cache_dir": "/c", "reuse_cached_responses": True},
        "reasoning": {"keep_as_reasoning_content": True},
        "endpoint": {
            "extra_body": {"top_k": 1},
            "request_timeout": 30,
            "max_retries": 2,
            "retry_on_status": [500],
            "max_concurrent": 8,
        },
    }


def test_the_newer_generation_may_have_no_interceptors() -> None:
    assert chain(load({"max_retries": 2})) == {"endpoint": {"max_retries": 2}}


def test_the_older_generation_stores_without_reuse_unless_told() -> None:
    assert chain(load({"interceptors": ["caching", "endpoint"]}))["caching"] == {}


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        (["endpoint"], {"reuse_cached_responses": True}),
        (["caching", "endpoint"], {"reuse_cached_responses": True}),
        (
            [{"name": "caching", "config": {"reuse_cached_responses": False}}, "endpoint"],
            {"reuse_cached_responses": False},
        ),
    ],
)
def test_an_evaluation_resumes_unless_its_configuration_says_no(
    entries: list[Any], expected: dict[str, Any]
) -> None:
    assert chain(resuming(load({"interceptors": entries})))["caching"] == expected


def test_a_cache_that_is_switched_off_stays_so() -> None:
    off = {"name": "caching", "enabled": False}
    config = resuming(load({"interceptors": [off, "endpoint"]}))
    assert [(entry.name, entry.enabled) for entry in config.interceptors] == [
        ("caching", False),
        ("endpoint", True),
    ]


def test_modules_may_stand_beside_flags() -> None:
    config = load({"use_caching": True, "discovery": {"dirs": ["/d"]}})
    assert config.discovery.dirs == ["/d"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {"use_cachin": True},
            "adapter_config.use_cachin: unknown field; did you mean use_caching",
        ),
        ({"interceptors": ["endpoint"], "mod": "server"}, "did you mean mode"),
        (
            {"interceptors": [{"name": "endpoint", "confg": {}}]},
            "adapter_config.interceptors.0.confg: unknown field; did you mean config",
        ),
        (
            {"interceptors": ["endpoint"], "use_caching": True},
            "adapter_config.use_caching: a flag of the flat form, beside `interceptors`",
        ),
        ({"interceptors": [{"config": {}}]}, "interceptors.0.name=.*Field required"),
        ({"html_report_size": "many"}, "adapter_config.html_report_size='many'"),
        ({"use_omni_info": True}, "use_omni_info=True: not available"),
        ({"discovery": {"dir": ["/x"]}}, "discovery.dir: unknown field; did you mean dirs"),
        ({"interceptors": 3}, "adapter_config.interceptors=3"),
        ({"adapter_config": ["endpoint"]}, "adapter_config: give a mapping, not list"),
        ({"target": "x"}, "target: give a mapping, not str"),
        ({"target": {"api_endpoint": 1}}, "target.api_endpoint: give a mapping, not int"),
        (
            {"target": {"api_endpoint": {"adapter_config": "x"}}},
            "target.api_endpoint.adapter_config: give a mapping, not str",
        ),
        (
            {"global_adapter_config": ["caching"]},
            "global_adapter_config: give a mapping, not list",
        ),
        ({"config": "x", "target": {}}, "config: give a mapping, not str"),
        (two_discoveries(["a"], {"dirs": ["/b"]}), "global_adapter_config.discovery="),
        (
            two_discoveries({"dirs": ["/b"]}, ["a"]),
            "target.api_endpoint.adapter_config.discovery=",
        ),
        (
            two_discoveries({"dirs": "/b"}, {"dirs": ["/b"]}),
            "global_adapter_config.discovery.dirs=",
        ),
    ],
)
def test_what_is_not_understood_is_refused_with_its_near_matches(
    fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        load(fields)
