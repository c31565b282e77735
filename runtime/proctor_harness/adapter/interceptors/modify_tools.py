"""``modify_tools``: takes properties out of the tools' parameters and puts others in."""

from functools import partial

from proctor_harness.adapter.configuration import InterceptorConfig
from proctor_harness.adapter.content import Json, JsonObject
from proctor_harness.adapter.messages import Interceptor
from proctor_harness.adapter.rewrite import change_question
from proctor_harness.adapter.site import Site


class Config(InterceptorConfig):
    """Fields of ``modify_tools``."""

    strip_properties: list[str] = []
    """Properties to take out of every tool."""
    add_properties: dict[str, JsonObject] = {}
    """Properties, by name their JSON schema, to put into every tool that lacks them."""


def build(config: Config, _: Site) -> Interceptor:
    """Change the tools of each question."""
    return change_question(partial(with_tools, config))


def with_tools(config: Config, asked: JsonObject) -> JsonObject:
    """The question with its tools changed."""
    tools = asked.get("tools")
    if not isinstance(tools, list):
        return asked
    return {**asked, "tools": [modified(config, tool) for tool in tools]}


def modified(config: Config, tool: Json) -> Json:
    """One tool, which is a function or holds one."""
    if isinstance(tool.get("function"), dict):
        return {**tool, "function": modified(config, tool["function"])}
    parameters = tool.get("parameters")
    if not isinstance(parameters, dict) or not isinstance(parameters.get("properties"), dict):
        return tool
    return {**tool, "parameters": with_properties(config, parameters)}


def with_properties(config: Config, parameters: JsonObject) -> JsonObject:
    """A JSON schema with its properties changed; what is gone is not required either."""
    stripped = set(config.strip_properties)
    kept = {k: v for k, v in parameters["properties"].items() if k not in stripped}
    changed = {**parameters, "properties": {**config.add_properties, **kept}}
    if isinstance(parameters.get("required"), list):
        changed["required"] = [name for name in parameters["required"] if name not in stripped]
    return changed
