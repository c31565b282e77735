"""An Eval-Factory image's ``framework.yml``: what a task's configuration is, and its command.

The contract is NeMo Evaluator's (nemo_evaluator.core.input and .api.api_dataclasses, 0.2.8):
defaults of the framework, over them those of the task, over them what the user asks; the command is
a Jinja template over all of it. Here it is rendered in Jinja's sandbox, for the image is not ours.
"""

import difflib
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import yaml
from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from proctor_crds.wire import RunSpec
from proctor_harness.harnesses.protocol import Problem

Tree = dict[str, Any]
EXTRA = re.compile(r"config\.params\.extra\.(\w+(?:\.\w+)*)")
"""How a command asks for an extra."""
PARAMS: Tree = {
    "limit_samples": None,
    "max_new_tokens": None,
    "max_retries": None,
    "parallelism": None,
    "task": None,
    "temperature": None,
    "request_timeout": None,
    "top_p": None,
    "extra": {},
}
"""The fields of ConfigParams; a template may ask for each."""
ENDPOINT: Tree = {
    "api_key_name": None,
    "model_id": None,
    "stream": None,
    "type": None,
    "url": None,
    "adapter_config": None,
}
LEAST: Tree = {"config": {"params": {"extra": {}}}}
"""What a framework that sets no parameter may leave out."""
DIRECT: Tree = {"interceptors": [{"name": "endpoint", "enabled": False}]}
"""No adapter of NeMo Evaluator's before ours: it would answer what is asked again from a cache of
its own, and hide that the framework gave a request up."""
RAISED = (TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What a template may raise: it computes."""
MOST_ROUNDS = 8
"""A value may be a template itself; NeMo Evaluator renders until nothing changes."""


class FrameworkError(Exception):
    """The framework or what was asked of it makes no command; says why."""


def merged(base: Tree, over: Mapping[str, Any]) -> Tree:
    """`over` put over `base`, key by key; a None there leaves what is here."""
    result = dict(base)
    for key, value in over.items():
        if isinstance(value, Mapping) and isinstance(result.get(key), dict):
            result[key] = merged(result[key], value)
        elif value is not None or key not in result:
            result[key] = value
    return result


def tasks(framework: Tree) -> dict[str, Tree]:
    """Each task's defaults by its name; raises FrameworkError."""
    try:
        defaults = merged(LEAST, framework["defaults"])
        found = {
            task["defaults"]["config"]["type"]: merged(defaults, task["defaults"])
            for task in framework["evaluations"]
        }
        for task in found.values():
            task["command"]  # a KeyError where there is none
    except (KeyError, TypeError, AttributeError) as error:
        words = f"framework.yml is not as NeMo Evaluator has it: {error!r}"
        raise FrameworkError(words) from error
    return found


def unknown(name: str, known: Collection[str]) -> str:
    """What to tell who asked for a task that the framework has not."""
    near = difflib.get_close_matches(name, known, n=3)
    meant = (
        f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(sorted(known))}"
    )
    return f"tasks={name!r}: {meant}"


def configured(
    defaults: Tree, run: RunSpec, workspace_url: str, judge_url: str | None, output_dir: Path
) -> Tree:
    """The run configuration: the task's defaults with what was asked over them."""
    kind = _endpoint_type(defaults, run.endpoint_type)
    path = "chat/completions" if run.endpoint_type == "chat" else "completions"
    target: Tree = {"url": f"{workspace_url}/{path}", "model_id": run.model, "type": kind}
    if not defaults.get("target", {}).get("api_endpoint", {}).get("adapter_config"):
        target["adapter_config"] = DIRECT
    params = _asked(run)
    if judge_url and "judge" in defaults["config"]["params"].get("extra", {}):
        params["extra"] = merged(
            {"judge": {"url": judge_url, "model_id": run.judge_model}}, params["extra"]
        )
    config = {"params": params, "output_dir": str(output_dir)}
    asked = {"config": config, "target": {"api_endpoint": target}}
    return merged(defaults, asked)


def problems(defaults: Tree, run: RunSpec) -> list[Problem]:
    """What the task cannot do: its kind of endpoint, and extras that nothing reads."""
    supported = defaults["config"].get("supported_endpoint_types") or []
    found = []
    if supported and _endpoint_type(defaults, run.endpoint_type) not in supported:
        remedy = f"the task needs {' or '.join(supported)}"
        found.append(Problem("endpointType", run.endpoint_type, remedy))
    known = extras(defaults)
    for name, value in run.params.extra.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            meant = f"did you mean {near[0]}? " if near else "remove it; "
            remedy = f"{meant}the task reads {', '.join(sorted(known)) or 'none'}"
            found.append(Problem(f"params.extra.{name}", value, remedy))
    return found


def extras(defaults: Tree) -> set[str]:
    """The extras that the task has a default for or that its command reads, dotted."""
    return set(EXTRA.findall(defaults["command"])) | set(
        _leaves(defaults["config"]["params"].get("extra") or {})
    )


def command(configuration: Tree) -> str:
    """The shell command; raises FrameworkError."""
    config, endpoint = configuration["config"], configuration["target"]["api_endpoint"]
    values = configuration | {
        "config": config | {"params": PARAMS | config["params"]},
        "target": {"api_endpoint": ENDPOINT | endpoint},
    }
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
    text: str = configuration["command"]
    for _ in range(MOST_ROUNDS):
        try:
            rendered = environment.from_string(text).render(values)
        except RAISED as error:
            raise FrameworkError(f"the framework's command cannot be rendered: {error}") from error
        if rendered == text:
            return rendered
        text = rendered
    raise FrameworkError("the framework's command contains itself")


def _endpoint_type(defaults: Tree, asked: str) -> str:
    """Frameworks tell completions with log-probs apart from those without."""
    supported = defaults["config"].get("supported_endpoint_types") or []
    logprobs = "completions_logprob"
    return logprobs if asked == "completions" and supported == [logprobs] else asked


def _asked(run: RunSpec) -> Tree:
    params = run.params
    extra: Tree = {}
    for name, text in params.extra.items():
        extra = merged(extra, _nested(name.split("."), yaml.safe_load(text)))
    values = {
        "limit_samples": params.limit_samples,
        "max_new_tokens": params.max_new_tokens,
        "max_retries": params.max_retries,
        "parallelism": params.parallelism,
        "temperature": None if params.temperature is None else float(params.temperature),
        "request_timeout": params.request_timeout_seconds,
        "top_p": None if params.top_p is None else float(params.top_p),
        "extra": extra,
    }
    return {name: value for name, value in values.items() if value is not None}


def _nested(path: list[str], value: Any) -> Tree:
    first, *rest = path
    return {first: _nested(rest, value) if rest else value}


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> list[str]:
    found = []
    for key, value in tree.items():
        name = f"{prefix}{key}"
        found += _leaves(value, f"{name}.") if isinstance(value, dict) and value else [name]
    return found
