import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from proctor_harness.adapter import chain, retry
from proctor_harness.adapter.configuration import ConfigurationError
from proctor_harness.adapter.content import Content
from proctor_harness.adapter.errors import InterceptorError
from proctor_harness.adapter.interceptors import INTERCEPTORS
from proctor_harness.adapter.load import load
from proctor_harness.adapter.messages import Headers, Origin, Response, compose
from proctor_harness.adapter.traffic import Exchange, Observer
from tests.unit.harness.adapter.asking import (
    JSON_HEADERS,
    NO_ANSWERS,
    Target,
    body,
    question,
    reply,
    site,
)

USERS = '''
from proctor_harness.adapter.configuration import InterceptorConfig
from proctor_harness.adapter.rewrite import change_answer

class Config(InterceptorConfig):
    """Its fields."""
    word: str = "moo"

def build(config, site):
    return change_answer(lambda answer: {**answer, "said": config.word})
'''
BROKEN = USERS.replace('{**answer, "said": config.word}', 'answer["nothing"]')


def added(value: str, name: str = "X-Own", of: str = "endpoint") -> dict[str, Any]:
    field = "extra_headers" if of == "endpoint" else "headers_to_add"
    return {"name": of, "config": {field: {name: value}}}


async def ask(document: dict[str, Any], root: Path, target: Target, **asked: Any) -> Response:
    config = load(document)
    interceptors = chain.build(config, chain.links(config), site(root))
    request = question({"messages": [{"role": "user", "content": "2+2?"}], **asked})
    return await compose(interceptors, target)(request)


def names(document: dict[str, Any]) -> list[str]:
    return [link.name for link in chain.links(load(document))]


def test_what_asks_the_target_comes_last_with_the_cache_before_it() -> None:
    listed = ["caching", "nvcf_request", "endpoint", "response_stats", "reasoning"]
    expected = ["response_stats", "reasoning", "endpoint", "caching", "nvcf_request"]
    assert names({"interceptors": listed}) == expected


def test_the_last_of_the_list_sees_an_answer_first() -> None:
    assert names({"interceptors": ["reasoning", "streaming"]})[:2] == ["reasoning", "streaming"]


@pytest.mark.parametrize(
    ("listed", "changed"),
    [
        (["caching", "endpoint", "response_stats", "reasoning", "request_logging"], False),
        ([{"name": "drop_params", "config": {"params": ["seed"]}}], True),
        ([{"name": "system_message", "config": {"system_message": "Be brief."}}], True),
    ],
)
def test_it_is_known_whether_the_target_is_asked_otherwise(
    listed: list[Any], changed: bool
) -> None:
    assert chain.rewrites(chain.links(load({"interceptors": listed}))) is changed


def test_what_is_not_enabled_is_left_out() -> None:
    entry = {"name": "log_tokens", "enabled": False}
    assert names({"interceptors": [entry, "endpoint"]}) == ["endpoint"]


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        (["endpoint", "reasonning"], "interceptors.1.name='reasonning': .*did you mean reasoning"),
        (
            [{"name": "request_logging", "config": {"max_request": 1}}],
            "interceptors.0.config.max_request: unknown field; did you mean max_requests",
        ),
        ([{"name": "system_message"}], "interceptors.0.config.system_message=.*required"),
        ([{"name": "turn_counter", "config": {"interval": 0}}], "interval=0"),
        (["caching", "caching", "endpoint"], "only once"),
        ([added("日本")], "X-Own: no header can hold what is not Latin-1: percent-encode it"),
        ([added("a\nb")], "X-Own: leave out ends of lines"),
        ([added("a", "X Own")], "'X Own': a header's name has letters"),
        (["endpoint", added("日本", of="payload_modifier")], "X-Own: no header can hold"),
        ([{"name": "caching", "config": {"log_level": "LOUD"}}], "log_level='LOUD'"),
    ],
)
def test_a_mistake_is_found_before_the_first_request(entries: list[Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        names({"interceptors": entries})


def test_a_wrong_key_is_not_printed() -> None:
    endpoint = {"name": "endpoint", "config": {"api_key": ["sk-canary"]}}
    with pytest.raises(ConfigurationError) as raised:
        names({"interceptors": [endpoint]})
    assert "api_key=[redacted]" in str(raised.value)
    assert "canary" not in str(raised.value)


@pytest.mark.parametrize("of", ["endpoint", "payload_modifier"])
def test_nor_are_those_of_gateways(of: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        names({"interceptors": ["caching", added("canary\n", of=of)]})
    assert "[redacted]" in str(raised.value)
    assert "canary" not in str(raised.value)


def test_an_interceptor_that_cannot_be_built_is_named(tmp_path: Path) -> None:
    (tmp_path / "cow.py").write_text(USERS.replace("return ", "raise KeyError(1)\n    return "))
    found = {"discovery": {"dirs": [str(tmp_path)]}, "interceptors": ["cow", "endpoint"]}
    config = load(found)
    with pytest.raises(InterceptorError, match="interceptor cow: 1"):
        chain.build(config, chain.links(config), site(tmp_path))


@pytest.mark.parametrize("name", ["caching", "response_stats"])
def test_a_path_that_no_file_system_takes_is_refused(name: str, tmp_path: Path) -> None:
    entry = {"name": name, "config": {"cache_dir": "a\0b"}}
    config = load({"interceptors": [entry, "endpoint"]})
    with pytest.raises(ConfigurationError, match="a path has no NUL character"):
        chain.build(config, chain.links(config), site(tmp_path))


KEY: Headers = ((b"authorization", b"Bearer sk-0123456789"),)


@pytest.mark.parametrize(
    ("config", "left"),
    [
        ({}, KEY),
        ({"headers_to_rename": {"Authorization": "api-key"}}, ((b"api-key", KEY[0][1]),)),
        ({"headers_to_remove": ["Authorization"]}, ()),
        ({"headers_to_add": {"Authorization": "Basic x", "X-Own": "1"}}, ()),
    ],
    ids=["as it is", "renamed", "removed", "replaced"],
)
def test_the_key_stands_where_the_chain_leaves_it(config: Any, left: Headers) -> None:
    modifier = {"name": "payload_modifier", "config": config}
    links = chain.links(load({"interceptors": [modifier, "endpoint"]}))
    assert chain.at_target(links, KEY) == left


def test_an_endpoint_may_bring_its_own() -> None:
    own = {"name": "endpoint", "config": {"extra_headers": {"Authorization": "Basic x"}}}
    assert chain.at_target(chain.links(load({"interceptors": [own]})), KEY) == ()


async def test_stored_answers_do_not_depend_on_the_key(tmp_path: Path) -> None:
    cache = {"name": "caching", "config": {"reuse_cached_responses": True}}
    config, target = load({"interceptors": [cache, "endpoint"]}), Target()
    for key in ("sk-canary-1", "sk-canary-2"):
        where = site(tmp_path, api_key=key, session=key[-1])
        interceptors = chain.build(config, chain.links(config), where)
        asked = question()
        request = replace(asked, headers=((b"authorization", b"Bearer " + key.encode()),))
        await compose(interceptors, target)(request)
        await where.disk.flush()
    assert len(target.requests) == 1
    assert "canary" not in (tmp_path / "cache/answers.jsonl").read_text()


async def test_what_is_added_to_headers_is_shown_nowhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    echo = ((b"x-heard", b"pass=gw-canary-1"), (b"x-own", b"k2"), (b"x-said", b"as k2 is"))
    document = {
        "log_failed_requests": True,
        "interceptors": [
            added("gw-canary-1", of="payload_modifier"),
            {"name": "request_logging"},
            {"name": "response_logging"},
            {"name": "http_pairs_dump", "config": {"dump_path": "pairs.json"}},
            added("k2", "X-Short"),
        ],
    }
    config, where = load(document), site(tmp_path, api_key="sk-canary-1")
    interceptors = chain.build(config, chain.links(config), where)
    request = replace(question(), headers=((b"x-renamed", b"Bearer sk-canary-1"),))
    await compose(interceptors, Target([Response(500, echo, Content(b"{}"))]))(request)
    await where.disk.flush()
    for shown in (caplog.text, (tmp_path / "pairs.json").read_text()):
        assert "x-heard" in shown
        assert "canary" not in shown
        assert "as k2 is" in shown
    assert "'x-own': '[redacted]'" in caplog.text


@pytest.mark.parametrize("hook", ["post_eval_repport", "caching_report"])
def test_an_unknown_hook_is_refused(hook: str, tmp_path: Path) -> None:
    config = load({"interceptors": ["endpoint"], "post_eval_hooks": [hook]})
    with pytest.raises(ConfigurationError, match=r"post_eval_hooks.0.name=.*post_eval_report"):
        chain.build(config, chain.links(config), site(tmp_path))


def test_an_interceptor_that_has_an_end_of_its_own_may_be_listed_as_hook(tmp_path: Path) -> None:
    config = load({"interceptors": ["endpoint"], "post_eval_hooks": ["response_stats"]})
    assert len(chain.build(config, chain.links(config), site(tmp_path))) == 3


@pytest.mark.parametrize("name", sorted(INTERCEPTORS))
def test_every_interceptor_says_what_its_fields_mean(name: str) -> None:
    for field, info in INTERCEPTORS[name].Config.model_fields.items():
        assert info.description, field


async def test_your_own_interceptor_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "cow.py").write_text(USERS)
    (tmp_path / "_shared.py").write_text("raise SystemExit")
    document = {
        "discovery": {"dirs": [str(tmp_path)]},
        "interceptors": [{"name": "cow", "config": {"word": "muh"}}, "endpoint"],
    }
    assert body(await ask(document, tmp_path, Target()))["said"] == "muh"


@pytest.mark.parametrize(
    ("name", "source", "words"),
    [
        ("cow", "x = ", "cow.py: cannot be imported: SyntaxError"),
        ("cow", "x = 1", "cow.py needs a class Config"),
        ("cow", USERS.replace("build", "make"), "cow.py needs a function build"),
        ("caching", USERS, "'caching' is taken: set NAME"),
    ],
)
def test_a_file_that_is_no_interceptor_is_refused(
    name: str, source: str, words: str, tmp_path: Path
) -> None:
    (tmp_path / f"{name}.py").write_text(source)
    with pytest.raises(ConfigurationError, match=words):
        names({"discovery": {"dirs": [str(tmp_path)]}, "interceptors": ["endpoint"]})


@pytest.mark.parametrize(
    ("discovery", "words"),
    [
        ({"dirs": ["/no/where"]}, r"discovery.dirs.0='/no/where': is no directory"),
        ({"modules": ["no_such.module"]}, "discovery.modules.0='no_such.module': cannot be imp"),
        ({"modules": ["json"]}, "needs a class Config"),
    ],
)
def test_a_place_without_interceptors_is_refused(discovery: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        names({"discovery": discovery, "interceptors": ["endpoint"]})


async def test_a_module_may_name_its_interceptor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stable_of_tests.py").write_text(f'NAME = "cow"\n{USERS}')
    monkeypatch.syspath_prepend(tmp_path)
    document = {"discovery": {"modules": ["stable_of_tests"]}, "interceptors": ["cow", "endpoint"]}
    assert body(await ask(document, tmp_path, Target()))["said"] == "moo"


async def test_a_failing_interceptor_fails_the_request(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Fail closed: an answer that was not treated as configured does not reach the harness."""
    (tmp_path / "cow.py").write_text(BROKEN)
    document = {"discovery": {"dirs": [str(tmp_path)]}, "interceptors": ["cow", "endpoint"]}
    response = await ask(document, tmp_path, Target())
    assert (response.status, response.origin) == (500, Origin.ADAPTER)
    error = body(response)["error"]
    assert (error["type"], error["code"]) == ("adapter_error", "interceptor_failed")
    assert error["message"] == "interceptor cow: 'nothing'"
    assert "KeyError" in caplog.text


async def test_the_failing_interceptor_is_named_and_not_those_around_it(tmp_path: Path) -> None:
    system = {"name": "system_message", "config": {"system_message": "x"}}
    document = {"interceptors": ["finish_reason", system, "response_stats", "endpoint"]}
    response = await ask(document, tmp_path, Target(), messages="none")
    assert "interceptor system_message" in body(response)["error"]["message"]


async def test_failed_requests_may_be_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    quiet, loud = {"interceptors": ["endpoint"]}, {"log_failed_requests": True}
    await ask(quiet, tmp_path, Target([500]))
    await ask(quiet | loud, tmp_path, Target())
    assert "failed request" not in caplog.text
    await ask(quiet | loud, tmp_path, Target([500]))
    assert "failed request POST /v1/chat/completions" in caplog.text
    assert '{"error": {"message": "no"}}' in caplog.text


def test_a_log_level_is_the_interceptors_own(tmp_path: Path) -> None:
    entry = {"name": "log_tokens", "config": {"log_level": "ERROR"}}
    config = load({"interceptors": [entry, "endpoint"]})
    chain.build(config, chain.links(config), site(tmp_path))
    package = "proctor_harness.adapter.interceptors"
    assert logging.getLogger(f"{package}.log_tokens").level == logging.ERROR
    assert logging.getLogger(f"{package}.caching").level != logging.ERROR


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"headers_to_add": {"x-route": "a"}}, {"headers_to_add": {"x-route": "b"}}),
        ({"headers_to_remove": ["accept"]}, {}),
    ],
)
def test_headers_that_change_the_question_are_known_to_the_cache(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    def unseen(config: dict[str, Any]) -> list[Any]:
        entries = [{"name": "payload_modifier", "config": config}, "endpoint"]
        return chain.unseen(chain.links(load({"interceptors": entries})))

    assert unseen(one) != unseen(other)


def test_what_changes_only_answers_is_not(tmp_path: Path) -> None:
    def unseen(*entries: Any) -> list[Any]:
        return chain.unseen(chain.links(load({"interceptors": [*entries, "endpoint"]})))

    assert unseen("reasoning", "log_tokens") == unseen()
    (tmp_path / "cow.py").write_text(USERS)
    document = {"discovery": {"dirs": [str(tmp_path)]}, "interceptors": ["cow", "endpoint"]}
    assert chain.unseen(chain.links(load(document))) != unseen()


def test_only_what_is_asked_for_stands_before_the_target() -> None:
    def around(api_key: str | None = None, **config: Any) -> list[str]:
        links = chain.links(load({"interceptors": [{"name": "endpoint", "config": config}]}))
        found = chain.around_target(chain.target(links), api_key)
        return [getattr(one, "__name__", type(one).__name__) for one in found]

    assert around() == around("EMPTY") == ["answered"]
    everything = around("sk-0123456789abc", max_retries=1, max_concurrent=1)
    assert everything == ["Retry", "answered", "Redaction", "Limit"]
    assert around(total_timeout=1) == ["Retry", "answered"]


@pytest.mark.parametrize("content", NO_ANSWERS.values(), ids=NO_ANSWERS)
async def test_what_is_no_answer_is_told_and_neither_counted_nor_kept(
    content: bytes, tmp_path: Path
) -> None:
    nothing = Response(200, JSON_HEADERS, Content(content))
    cache = {"name": "caching", "config": {"reuse_cached_responses": True}}
    config = load({"interceptors": [cache, "endpoint", "response_stats", "reasoning"]})
    where, seen, target = site(tmp_path), list[Exchange](), Target([nothing, reply("a")])
    interceptors = chain.build(config, chain.links(config), where)
    endpoint = compose([Observer([seen.append]), *interceptors], target)
    first, second = await endpoint(question()), await endpoint(question())
    assert (first.status, second.status) == (502, 200)
    assert [exchange.answered for exchange in seen] == [False, True]
    assert "no answer: " in (seen[0].error or "")
    await where.disk.flush()
    [line] = (tmp_path / "cache/answers.jsonl").read_text().splitlines()
    assert json.loads(line)["turn"] == 0


async def test_and_it_is_asked_again_where_the_chain_asks_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "FIRST_WAIT_SECONDS", 0.0)
    nothing = Response(200, JSON_HEADERS, Content(b"{}"))
    document = {"interceptors": [{"name": "endpoint", "config": {"max_retries": 1}}]}
    assert body(await ask(document, tmp_path, Target([nothing, reply()]))) == reply()


async def test_a_quoted_page_does_not_tell_half_of_the_key(tmp_path: Path) -> None:
    key = "sk-canary-0123456789"
    page = Response(200, (), Content(b"x" * 190 + key.encode()))
    config = load({"interceptors": ["endpoint"]})
    interceptors = chain.build(config, chain.links(config), site(tmp_path, api_key=key))
    found = await compose(interceptors, Target([page]))(question())
    assert "sk-" not in json.dumps(body(found))
