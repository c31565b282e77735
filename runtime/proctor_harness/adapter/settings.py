"""What the pod tells the adapter, by its environment."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from proctor_crds.wire import shard_folder, shards_folder
from proctor_harness.adapter.configuration import AdapterConfig, ConfigurationError, parsed
from proctor_harness.adapter.http.pool import Server
from proctor_harness.adapter.interceptors import caching, endpoint
from proctor_harness.adapter.load import document, load, resuming, retrying

SHARED = (
    "the pods of a sharded evaluation share their answers by `caching`, and the one that scores"
    " would ask all again: let it keep and reuse answers (the default), or leave `shards` out"
)
TIMEOUT_SECONDS = 3600.0
"""For one attempt, where nobody says."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The environment, parsed."""

    bind_address: str
    port: int
    artifacts: Path
    shards: Path | None
    """Where other pods have their artifacts, whose answers are there to begin with."""
    url: str
    """The target; empty if the configuration must name it."""
    api_key: str | None
    timeout_seconds: float
    identity: str
    """Stands for the model that answers."""
    session: str
    """One start of the harness: the pod, where it is told, else this process."""
    config: AdapterConfig


def settings(environ: Mapping[str, str]) -> Settings:
    """Parse the environment; raises ConfigurationError."""
    mounted = Path(environ["MOUNT_ARTIFACTS"])
    artifacts = own_folder(environ, mounted)
    url, identity = environ.get("UPSTREAM_URL", ""), environ.get("MODEL_IDENTITY")
    text = environ.get("ADAPTER_CONFIG")
    # Stored answers are given again only where it is known whose they are: an address may be
    # another model's tomorrow. Whoever configures the cache is taken to know.
    found = document(text) if text else {"use_caching": identity is not None}
    config = load(found, str(artifacts))
    config = resuming(config) if identity else config
    config = retrying(config, number(environ, "MAX_RETRIES", 0))
    shares = "SHARD_INDEX" in environ
    if shares and not keeps_answers(config):
        raise ConfigurationError([f"caching: {SHARED}"])
    return Settings(
        bind_address=environ.get("BIND_ADDRESS", "127.0.0.1"),
        # A pod that has several adapters tells each which port is its own.
        port=number(environ, environ.get("PORT_VARIABLE", "PORT_ADAPTER"), 9100),
        artifacts=artifacts,
        shards=None if shares else shards_folder(mounted),
        url=url,
        api_key=key(environ.get("API_KEY")),
        timeout_seconds=float(environ.get("UPSTREAM_TIMEOUT_SECONDS", TIMEOUT_SECONDS)),
        identity=identity or url,
        session=environ.get("SESSION") or uuid.uuid4().hex,
        config=config,
    )


def key(found: str | None) -> str | None:
    """An API key without the end of line that a Secret made of a file has; none if it is empty."""
    return (found or "").strip() or None


def keeps_answers(config: AdapterConfig) -> bool:
    """Whether answers are stored and given again; raises ConfigurationError."""
    found = [entry for entry in config.interceptors if entry.name == "caching" and entry.enabled]
    links = [parsed(caching.Config, entry.config, "caching") for entry in found]
    return any(link.reuse_cached_responses and not link.bypass for link in links)


def own_folder(environ: Mapping[str, str], mounted: Path) -> Path:
    """Where this pod writes; raises ConfigurationError."""
    if "SHARD_INDEX" not in environ:
        return mounted
    return shard_folder(mounted, number(environ, "SHARD_INDEX", 0))


def number(environ: Mapping[str, str], name: str, default: int) -> int:
    """A whole number of the environment; raises ConfigurationError."""
    value = environ.get(name, str(default))
    if not value.isdigit():
        raise ConfigurationError([f"{name}={value!r}: give a whole number"])
    return int(value)


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to ask, and by what right."""

    server: Server
    url: str
    api_key: str | None
    timeout_seconds: float


def target(given: Settings, config: endpoint.Config) -> Target:
    """The target of the environment, else of the configuration; raises ConfigurationError.

    Both may not name it: the run's target is what its status says it is.
    """
    configured = key(config.api_key.get_secret_value()) if config.api_key else None
    for name, own, other in (
        ("upstream_url", given.url, config.upstream_url),
        ("api_key", given.api_key, configured),
    ):
        if own and other and own != other:
            raise ConfigurationError([f"endpoint.{name}: the run has one of its own: leave it out"])
    url = given.url or config.upstream_url or ""
    try:
        server = Server.at(url)
    except ValueError as error:
        raise ConfigurationError([f"UPSTREAM_{error}"]) from error
    timeout = config.request_timeout or given.timeout_seconds
    return Target(server, url, given.api_key or configured, timeout)
