"""The types of the configuration, and words for what is wrong with it.

Names and fields are those of NeMo Evaluator's `adapter_config`, of both its generations, so that an
existing file works here. What it does not know, NeMo ignores; here it is refused, with the nearest
known name.
"""

import difflib
import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]

SECRET_FIELDS = {"api_key", "extra_headers", "headers_to_add"}
"""Fields whose values are not repeated to whoever reads what is wrong with them."""
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class ConfigurationError(Exception):
    """The configuration cannot be used: each problem names field, value and remedy."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        super().__init__("; ".join(self.problems))


class Config(BaseModel):
    """A part of the configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def sendable(headers: dict[str, str]) -> dict[str, str]:
    """The headers, if they can be sent; raises ValueError."""
    for name, value in headers.items():
        if not HEADER_NAME.fullmatch(name):
            raise ValueError(f"{name!r}: a header's name has letters, digits and dashes alone")
        if any(character in value for character in "\r\n\0"):
            raise ValueError(f"{name}: leave out ends of lines and NUL characters")
        if any(ord(character) > 255 for character in value):
            raise ValueError(f"{name}: no header can hold what is not Latin-1: percent-encode it")
    return headers


AddedHeaders = Annotated[dict[str, str], AfterValidator(sendable)]
"""Headers that are put on a question."""


class InterceptorConfig(Config):
    """What every interceptor can be told."""

    log_level: LogLevel = "INFO"
    """Least severe messages of this interceptor that are logged."""


class Entry(Config):
    """One interceptor or hook of the chain."""

    name: str
    """Which one."""
    enabled: bool = True
    """Whether it is used."""
    config: dict[str, Any] = Field(default_factory=dict)
    """Its own fields."""


class Discovery(Config):
    """Where interceptors of your own come from."""

    modules: list[str] = []
    """Python modules to import, each one interceptor."""
    dirs: list[str] = []
    """Mounted directories, each of whose Python files is one interceptor."""


class AdapterConfig(Config):
    """A whole configuration, all of it spelled out."""

    mode: Literal["server", "client"] = "server"
    """Accepted and without effect: this adapter is a server."""
    discovery: Discovery = Discovery()
    """Interceptors of your own."""
    interceptors: list[Entry] = []
    """The chain: the first sees a question first and its answer last."""
    post_eval_hooks: list[Entry] = []
    """What is done when the evaluation ends."""
    endpoint_type: str = "chat"
    """Accepted and without effect: what a request is, its path says."""
    log_failed_requests: bool = False
    """Log question and answer of each failed request."""


M = TypeVar("M", bound=BaseModel)


def parsed(model: type[M], fields: dict[str, Any], where: str) -> M:
    """The fields as `model`; raises ConfigurationError, whose problems begin with `where`."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise ConfigurationError(problems(error, model, where)) from error


def problems(error: ValidationError, model: type[BaseModel], where: str) -> Iterable[str]:
    """What is wrong, in words that say what to write instead."""
    for detail in error.errors(include_url=False):
        place = ".".join([where, *map(str, detail["loc"])] if where else map(str, detail["loc"]))
        if detail["type"] == "extra_forbidden":
            known = fields_at(model, detail["loc"][:-1])
            yield unknown(f"{place}: unknown field", str(detail["loc"][-1]), known)
        else:
            secret = not SECRET_FIELDS.isdisjoint(detail["loc"])
            yield f"{place}={'[redacted]' if secret else repr(detail['input'])}: {detail['msg']}"


def fields_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The names of the fields that a model has at a place within it."""
    for step in location:
        nested = model.model_fields.get(str(step))
        if nested and isinstance(nested.annotation, type):
            model = nested.annotation
        elif not isinstance(step, int):
            model = Entry
    return sorted(model.model_fields)


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """Words for a name that does not exist: its near matches, or else all names."""
    choices = sorted(known)
    near = difflib.get_close_matches(name, choices, n=3, cutoff=0.6)
    if near:
        return f"{what}; did you mean {' or '.join(near)}?"
    return f"{what}; known are {', '.join(choices)}"
