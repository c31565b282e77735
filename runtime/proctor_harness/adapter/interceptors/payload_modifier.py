"""``payload_modifier``: removes, renames and adds parameters and headers of questions."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import partial

from proctor_harness.adapter.configuration import AddedHeaders, InterceptorConfig
from proctor_harness.adapter.content import Json, JsonObject
from proctor_harness.adapter.http.wire import FRAMING
from proctor_harness.adapter.messages import Endpoint, Headers, Interceptor, Request, Response
from proctor_harness.adapter.openai import is_question
from proctor_harness.adapter.rewrite import changed
from proctor_harness.adapter.site import Site

TRANSPORT = FRAMING | {b"host"}
"""Headers that belong to the connection: they are not set from here."""


class Config(InterceptorConfig):
    """Fields of ``payload_modifier``."""

    params_to_remove: list[str] | None = None
    """Parameters to remove, wherever in the question they stand."""
    params_to_add: JsonObject | None = None
    """Parameters to add, in place of those of the same name."""
    params_to_rename: dict[str, str] | None = None
    """New names of parameters, by the old."""
    headers_to_add: AddedHeaders | None = None
    """Headers to add, in place of those of the same name."""
    headers_to_remove: list[str] | None = None
    """Headers to remove."""
    headers_to_rename: dict[str, str] | None = None
    """New names of headers, by the old."""


def build(config: Config, _: Site) -> Interceptor:
    """Change each question and its headers."""
    change = partial(with_params, config)

    async def intercept(request: Request, call_next: Endpoint) -> Response:
        if not is_question(request):
            return await call_next(request)
        headers = with_headers(config, request.headers)
        return await call_next(replace(changed(request, change), headers=headers))

    return intercept


def with_params(config: Config, asked: JsonObject) -> JsonObject:
    """The question less what is to be removed, with what is to be added, renamed at the end."""
    kept = without(frozenset(config.params_to_remove or ()), asked)
    added = {**kept, **(config.params_to_add or {})}
    return renamed(config.params_to_rename or {}, added)


def without(names: Collection[str], value: Json) -> Json:
    """The JSON without these keys, at any depth."""
    if not names:
        return value
    if isinstance(value, dict):
        return {key: without(names, item) for key, item in value.items() if key not in names}
    if isinstance(value, list):
        return [without(names, item) for item in value]
    return value


def renamed(names: Mapping[str, str], asked: JsonObject) -> JsonObject:
    """The question with top-level parameters under their new names, one after the other."""
    result = dict(asked)
    for old, new in names.items():
        if old in result:
            result[new] = result.pop(old)
    return result


def with_headers(config: Config, headers: Headers) -> Headers:
    """The headers less what is to be removed, renamed, with what is to be added."""
    removed = {lower(name) for name in config.headers_to_remove or ()}
    names = {lower(old): lower(new) for old, new in (config.headers_to_rename or {}).items()}
    added = {lower(n): v.encode("latin-1") for n, v in (config.headers_to_add or {}).items()}
    kept = [(names.get(name, name), value) for name, value in headers if name not in removed]
    changed = [*(pair for pair in kept if pair[0] not in added), *added.items()]
    return tuple(pair for pair in changed if pair[0] not in TRANSPORT)


def lower(name: str) -> bytes:
    """A header's name as messages have it."""
    return name.lower().encode("latin-1")
