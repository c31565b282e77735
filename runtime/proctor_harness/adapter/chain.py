"""From the configuration to the chain.

The list's order is kept, with two exceptions. What asks the target comes last, wherever the list
has it: NeMo lists what works on answers after ``endpoint``, and there as here the last of the list
sees an answer first. And ``caching`` comes right before it, so that it stores what the target said
and not what an interceptor made of it.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from proctor_harness.adapter.answered import answered
from proctor_harness.adapter.configuration import (
    AdapterConfig,
    ConfigurationError,
    Entry,
    InterceptorConfig,
    parsed,
    unknown,
)
from proctor_harness.adapter.discovery import discovered
from proctor_harness.adapter.errors import InterceptorError, RefusedError
from proctor_harness.adapter.failing import LogFailed, fail_closed
from proctor_harness.adapter.interceptors import (
    INTERCEPTORS,
    InterceptorModule,
    endpoint,
    nvcf_request,
    payload_modifier,
    post_eval_report,
)
from proctor_harness.adapter.limit import Limit
from proctor_harness.adapter.messages import (
    BrokenAnswerError,
    Endpoint,
    Headers,
    Interceptor,
    Request,
    Response,
)
from proctor_harness.adapter.redact import Redaction, is_secret
from proctor_harness.adapter.retry import Retry
from proctor_harness.adapter.site import Site

LAST = ("endpoint", "caching", "nvcf", "nvcf_request")
"""Interceptors whose place is fixed, outermost first."""
UNSEEN = {
    "payload_modifier": ("headers_to_add", "headers_to_remove", "headers_to_rename"),
    "endpoint": ("extra_headers", "upstream_url"),
    "nvcf": ("status_url",),
    "nvcf_request": ("status_url",),
}
"""Fields that change a request where ``caching`` does not look: outside its body."""
REWRITING = {
    "consolidate_system",
    "drop_params",
    "modify_tools",
    "nvcf",
    "nvcf_request",
    "payload_modifier",
    "system_message",
}
"""Interceptors after which the target is asked otherwise than the harness asks."""
HOOKS = {"post_eval_report": post_eval_report}


@dataclass(frozen=True, slots=True)
class Link:
    """One interceptor with its configuration, not built yet."""

    name: str
    module: InterceptorModule
    config: InterceptorConfig


def links(config: AdapterConfig) -> list[Link]:
    """The chain's links in the order in which they work; raises ConfigurationError."""
    known = INTERCEPTORS | discovered(config.discovery, INTERCEPTORS)
    listed = [
        link(entry, known, f"interceptors.{index}")
        for index, entry in enumerate(config.interceptors)
        if entry.enabled
    ]
    free = [found for found in listed if found.name not in LAST]
    fixed = {found.name: found for found in listed if found.name in LAST}
    if len(free) + len(fixed) < len(listed):
        raise ConfigurationError([f"interceptors: list each of {', '.join(LAST)} only once"])
    fixed.setdefault("endpoint", Link("endpoint", endpoint, endpoint.Config()))
    return free + [fixed[name] for name in LAST if name in fixed]


def link(entry: Entry, known: Mapping[str, InterceptorModule], where: str) -> Link:
    """One entry; raises ConfigurationError."""
    module = known.get(entry.name)
    if module is None:
        problem = unknown(f"{where}.name={entry.name!r}: unknown interceptor", entry.name, known)
        raise ConfigurationError([problem])
    return Link(entry.name, module, parsed(module.Config, entry.config, f"{where}.config"))


def unseen(chain: Sequence[Link]) -> list[Any]:
    """What of the configuration changes requests without changing their bodies.

    Of an interceptor that is not ours nobody knows, so all of its configuration counts.
    """
    found = []
    for one in chain:
        fields = one.config.model_dump(mode="json")
        if one.name in UNSEEN:
            found.append([one.name, *(fields[key] for key in UNSEEN[one.name])])
        elif one.name not in INTERCEPTORS:
            found.append([one.name, fields])
    return found


def secrets(chain: Sequence[Link], api_key: str | None) -> frozenset[bytes]:
    """The key, and the values of headers that the configuration adds: gateways' keys are."""
    values = [value for one in chain for value in added_headers(one.config).values()]
    keys = [api_key.encode(), b"Bearer " + api_key.encode()] if api_key else []
    return frozenset([*keys, *(value.encode("latin-1") for value in values if value)])


def added_headers(config: InterceptorConfig) -> Mapping[str, str]:
    """Headers that an interceptor puts on a question."""
    if isinstance(config, payload_modifier.Config):
        return config.headers_to_add or {}
    return (config.extra_headers or {}) if isinstance(config, endpoint.Config) else {}


def at_target(chain: Sequence[Link], authorization: Headers) -> Headers:
    """The key's header as the target is to see it: where the chain leaves it, under its name."""
    for one in chain:
        headers = authorization
        if isinstance(one.config, payload_modifier.Config):
            headers = payload_modifier.with_headers(one.config, headers)
        replaced = {name.lower().encode() for name in added_headers(one.config)}
        authorization = tuple(pair for pair in headers if pair[0] not in replaced)
    return authorization


def rewrites(chain: Sequence[Link]) -> bool:
    """Whether the target is asked otherwise than the harness asks, as far as anybody knows."""
    return any(one.name in REWRITING or one.name not in INTERCEPTORS for one in chain)


def build(config: AdapterConfig, chain: Sequence[Link], site: Site) -> list[Interceptor]:
    """The interceptors, outermost first; raises ConfigurationError."""
    site = replace(site, unseen=unseen(chain), secrets=secrets(chain, site.api_key))
    for index, entry in enumerate(config.post_eval_hooks):
        build_hook(entry, site, f"post_eval_hooks.{index}")
    outer = [built(one, site) for one in chain if one.module is not nvcf_request]
    inner = [built(one, site) for one in chain if one.module is nvcf_request]
    ends: list[Interceptor] = [LogFailed(site.secrets)] if config.log_failed_requests else []
    ends.append(fail_closed)
    return [*ends, *outer, *around_target(target(chain), site.api_key), *inner]


def built(one: Link, site: Site) -> Interceptor:
    """The interceptor, whose failures bear its name; raises InterceptorError."""
    logging.getLogger(one.module.__name__).setLevel(one.config.log_level)
    try:
        interceptor = one.module.build(one.config, site)
    except ConfigurationError:
        raise
    except Exception as error:
        raise InterceptorError(one.name, error) from error
    return Guard(one.name, interceptor)


def target(chain: Sequence[Link]) -> endpoint.Config:
    """How the target is asked."""
    return next(one.config for one in chain if isinstance(one.config, endpoint.Config))


def around_target(config: endpoint.Config, api_key: str | None) -> list[Interceptor]:
    """What stands between the cache and the connections."""
    found: list[Interceptor] = []
    if config.max_retries or config.total_timeout:
        found.append(Retry(config.retries))
    # It quotes what it refuses, hence beyond it the key is blotted out already.
    found.append(answered)
    if api_key and is_secret(api_key):
        found.append(Redaction(api_key))
    if config.max_concurrent:
        found.append(Limit(config.max_concurrent))
    return found


def build_hook(entry: Entry, site: Site, where: str) -> None:
    """Arrange for what is done at the end; interceptors that do something then need no hook."""
    if not entry.enabled or entry.name in INTERCEPTORS:
        return
    if entry.name not in HOOKS:
        problem = unknown(f"{where}.name={entry.name!r}: unknown hook", entry.name, HOOKS)
        raise ConfigurationError([problem])
    hook = HOOKS[entry.name]
    hook.build(parsed(hook.Config, entry.config, f"{where}.config"), site)


class Guard:
    """Tells of an interceptor's failure which one it was, and that it was not the target's."""

    def __init__(self, name: str, interceptor: Interceptor) -> None:
        self._name = name
        self._interceptor = interceptor

    async def __call__(self, request: Request, call_next: Endpoint) -> Response:
        """Do what the interceptor does; raises InterceptorError in place of its exceptions."""
        try:
            return await self._interceptor(request, call_next)
        except (InterceptorError, RefusedError, BrokenAnswerError):
            raise
        except Exception as error:
            raise InterceptorError(self._name, error) from error
