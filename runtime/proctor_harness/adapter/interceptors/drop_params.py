"""``drop_params``: leaves out top-level parameters that a server refuses."""

from functools import partial

from proctor_harness.adapter.configuration import InterceptorConfig
from proctor_harness.adapter.content import JsonObject
from proctor_harness.adapter.messages import Interceptor
from proctor_harness.adapter.rewrite import change_question
from proctor_harness.adapter.site import Site


class Config(InterceptorConfig):
    """Fields of ``drop_params``."""

    params: list[str]
    """Names to leave out."""


def build(config: Config, _: Site) -> Interceptor:
    """Change each question."""
    return change_question(partial(without, frozenset(config.params)))


def without(names: frozenset[str], asked: JsonObject) -> JsonObject:
    """The question without these parameters."""
    if names.isdisjoint(asked):
        return asked
    return {key: value for key, value in asked.items() if key not in names}
