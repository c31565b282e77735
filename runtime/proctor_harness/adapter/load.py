"""From a document, as people write it, to an `AdapterConfig` with all of it spelled out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from proctor_harness.adapter.configuration import (
    AdapterConfig,
    ConfigurationError,
    Discovery,
    Entry,
    parsed,
)
from proctor_harness.adapter.legacy import FLAGS, spelled_out

Fields = dict[str, Any]

PROXY = {
    "extra_body": "extra_body",
    "extra_headers": "extra_headers",
    "request_timeout": "request_timeout",
    "max_retries": "max_retries",
    "retry_on_status": "retry_on_status",
    "max_concurrent_upstream": "max_concurrent",
}
"""Fields of the newer generation's `proxy` block, and what ``endpoint`` calls them."""
SHARED = "global_adapter_config"
OWN = ("target", "api_endpoint", "adapter_config")
"""Where a run configuration has the adapter's part."""
RUN_FIELDS = frozenset({"target", SHARED, "config"})
"""By which a whole run configuration is known."""
ENDPOINTS = frozenset({"endpoint", "nvcf", "nvcf_request"})
NEWER_DEFAULTS: dict[str, Fields] = {
    "caching": {"reuse_cached_responses": True},
    "reasoning": {"keep_as_reasoning_content": True},
}
"""What the newer generation does without being told."""


def document(text: str) -> Fields:
    """The document in a variable: YAML, JSON, or the absolute path of a file with either."""
    where = "ADAPTER_CONFIG"
    try:
        source = Path(text).read_text(encoding="utf-8") if text.startswith("/") else text
        found = yaml.safe_load(source)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError([f"{where}: cannot be read: {error}"]) from error
    return mapping(found, where)


def mapping(found: Any, where: str) -> Fields:
    """A part of a document, empty where nothing is written; raises ConfigurationError."""
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ConfigurationError([f"{where}: give a mapping, not {type(found).__name__}"])
    return found


def part(of: Fields, *path: str) -> Fields:
    """What a document has at a path; raises ConfigurationError where that is no mapping."""
    for end, name in enumerate(path, 1):
        of = mapping(of.get(name), ".".join(path[:end]))
    return of


def load(found: Fields, output_dir: str | None = None) -> AdapterConfig:
    """Spell the document out; raises ConfigurationError. `output_dir` is where files go."""
    fields, own_dir = unwrapped(found)
    where = "adapter_config"
    newer = "verbose" in fields or not PROXY.keys().isdisjoint(fields)
    if not fields.get("interceptors") and not newer:
        # Hooks and modules without a chain never had an effect of their own.
        flat = {k: v for k, v in fields.items() if k not in ("interceptors", "post_eval_hooks")}
        discovery = flat.pop("discovery", None)
        config = spelled_out(flat, where, own_dir or output_dir)
        return config if discovery is None else with_discovery(config, discovery, where)
    if mixed := sorted(FLAGS & fields.keys()):
        problem = "a flag of the flat form, beside `interceptors`: configure the interceptor"
        raise ConfigurationError([f"{where}.{name}: {problem}" for name in mixed])
    return listed(fields, where)


def resuming(config: AdapterConfig) -> AdapterConfig:
    """The configuration with answers kept and given again, unless it says otherwise itself.

    That an evaluation goes on after its pod was killed does not depend on what its chain lists.
    """
    return unless_told(config, "caching", {"reuse_cached_responses": True})


def retrying(config: AdapterConfig, max_retries: int) -> AdapterConfig:
    """The configuration with questions asked again so often, unless it says otherwise itself."""
    return unless_told(config, "endpoint", {"max_retries": max_retries})


def unless_told(config: AdapterConfig, name: str, fields: Fields) -> AdapterConfig:
    """The configuration with fields of an interceptor that it does not set, listed or not."""
    chain = [
        entry.model_copy(update={"config": fields | entry.config}) if entry.name == name else entry
        for entry in config.interceptors
    ]
    if all(entry.name != name for entry in chain):
        chain.append(Entry(name=name, config=fields))
    return config.model_copy(update={"interceptors": chain})


def listed(fields: Fields, where: str) -> AdapterConfig:
    """A document with a list of interceptors."""
    proxy = {ours: fields[theirs] for theirs, ours in PROXY.items() if theirs in fields}
    rest = {k: v for k, v in fields.items() if k not in PROXY and k != "verbose"}
    rest |= {key: named(rest[key]) for key in ("interceptors", "post_eval_hooks") if key in rest}
    config = parsed(AdapterConfig, rest, where)
    if any(entry.name in ENDPOINTS for entry in config.interceptors):
        chain = [with_fields(entry, proxy) for entry in config.interceptors]
    else:
        chain = [with_fields(entry, {}, NEWER_DEFAULTS) for entry in config.interceptors]
        chain.append(Entry(name="endpoint", config=proxy))
    if fields.get("verbose"):
        chain.insert(0, Entry(name="logging"))
    return config.model_copy(update={"interceptors": chain})


def named(entries: Any) -> Any:
    """A list in which a bare name stands for an entry without configuration."""
    if not isinstance(entries, list):
        return entries
    return [{"name": entry} if isinstance(entry, str) else entry for entry in entries]


def with_fields(entry: Entry, proxy: Fields, defaults: Mapping[str, Fields] = {}) -> Entry:
    """The entry with what the document says of it elsewhere."""
    given = proxy if entry.name == "endpoint" else {}
    config = {**defaults.get(entry.name, {}), **given, **entry.config}
    return entry.model_copy(update={"config": config})


def with_discovery(config: AdapterConfig, discovery: Any, where: str) -> AdapterConfig:
    """The flags' chain with interceptors of one's own at hand."""
    found = parsed(AdapterConfig, {"discovery": discovery}, where)
    return config.model_copy(update={"discovery": found.discovery})


def unwrapped(found: Fields) -> tuple[Fields, str | None]:
    """The adapter's part of a document, which may be a whole run configuration of NeMo's.

    And where that run writes.
    """
    if "adapter_config" in found:
        return part(found, "adapter_config"), None
    if RUN_FIELDS.isdisjoint(found):
        return found, None
    shared = part(found, SHARED)
    own = part(found, *OWN)
    merged = {**shared, **own}
    if shared.get("discovery") and own.get("discovery"):
        merged["discovery"] = both(shared["discovery"], own["discovery"])
    return merged, part(found, "config").get("output_dir")


def both(shared: Any, own: Any) -> Fields:
    """The modules and directories of two discoveries; raises ConfigurationError."""
    first = parsed(Discovery, shared, f"{SHARED}.discovery")
    second = parsed(Discovery, own, f"{'.'.join(OWN)}.discovery")
    return {
        "modules": [*first.modules, *second.modules],
        "dirs": [*first.dirs, *second.dirs],
    }
