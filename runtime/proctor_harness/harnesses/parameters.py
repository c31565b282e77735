"""Checks of parameters that several harnesses make."""

import difflib
from collections.abc import Collection, Iterable

import yaml

from proctor_crds import catalogue
from proctor_crds.wire import RunSpec
from proctor_harness.harnesses.protocol import Problem

FIELDS = {
    "few_shot": "fewShot",
    "limit_samples": "limitSamples",
    "temperature": "temperature",
    "top_p": "topP",
    "max_new_tokens": "maxNewTokens",
}


def sampling(run: RunSpec) -> list[Problem]:
    """What no server could sample with."""
    temperature, top_p = run.params.temperature, run.params.top_p
    problems = []
    if temperature is not None and not 0 <= float(temperature) <= 2:
        problems.append(Problem("params.temperature", temperature, "choose a number from 0 to 2"))
    if top_p is not None and not 0 < float(top_p) <= 1:
        problems.append(Problem("params.topP", top_p, "choose a number above 0 and at most 1"))
    return problems


def unsupported(run: RunSpec, harness: str, names: Iterable[str]) -> list[Problem]:
    """Settings that were given although the harness has none of their kind."""
    remedy = f"remove it; {harness} has no such setting"
    given = {name: getattr(run.params, name) for name in names}
    return [
        Problem(f"params.{FIELDS[name]}", value, remedy)
        for name, value in given.items()
        if value is not None
    ]


def extras(run: RunSpec, harness: str, known: Collection[str]) -> list[Problem]:
    """Extras that the harness does not know."""
    return [
        Problem(f"params.extra.{key}", value, _suggest(harness, key, known))
        for key, value in run.params.extra.items()
        if key not in known
    ]


def integers(run: RunSpec, names: Iterable[str]) -> list[Problem]:
    """Extras that must be positive integers."""
    extra = run.params.extra
    return [
        Problem(f"params.extra.{key}", extra[key], "give a positive integer")
        for key in names
        if key in extra and not extra[key].lstrip("0").isdecimal()
    ]


def flags(run: RunSpec, names: Iterable[str]) -> list[Problem]:
    """Extras that must be true or false."""
    extra = run.params.extra
    return [
        Problem(f"params.extra.{key}", extra[key], "give true or false")
        for key in names
        if extra.get(key, "true").lower() not in {"true", "false"}
    ]


def flag(text: str) -> bool:
    """The flag that `flags` let pass."""
    return text.lower() == "true"


def yaml_values(run: RunSpec) -> list[Problem]:
    """Extras that must be YAML: a number, a flag, a text, a list."""
    return [
        Problem(f"params.extra.{key}", text, "give YAML")
        for key, text in run.params.extra.items()
        if not _is_yaml(text)
    ]


def tasks(run: RunSpec, gives: Collection[str] = ()) -> list[Problem]:
    """Tasks that the catalogue does not know, or knows to need what this run does not give.

    `gives` names the needs that the harness's module can meet.
    """
    problems = []
    for name in run.tasks:
        task = catalogue.find(run.harness, name)
        if task is None:
            problems.append(Problem("tasks", name, catalogue.suggestion(run.harness, name)))
            continue
        problems += [
            Problem("tasks", name, NOT_HERE[need])
            for need in task.needs
            if need in NOT_HERE and need not in gives
        ]
        if "judge" in task.needs and "judge" in gives and not run.judge_model:
            remedy = f"name the model that judges the answers of {name}"
            problems.append(Problem("judgeRef", None, remedy))
        if run.endpoint_type not in task.endpoint_types:
            usable = " or ".join(task.endpoint_types)
            remedy = f"the task {name} needs endpointType {usable}"
            problems.append(Problem("endpointType", run.endpoint_type, remedy))
    return problems


NOT_HERE = {
    "sandbox": "it executes code that the model wrote, for which this harness has no sandbox;"
    " choose tasks that execute none (proctor tasks shows which do)",
    "toolchain": "no sandbox of this version is equipped for the code that it executes;"
    " choose other tasks (proctor tasks shows what each needs)",
    "judge": "it needs a second model as judge, which this version cannot give it;"
    " choose tasks that need none (proctor tasks shows which do)",
}
"""What a task may need that no run has."""


def _is_yaml(text: str) -> bool:
    try:
        yaml.safe_load(text)
    except yaml.YAMLError:
        return False
    return True


def _suggest(harness: str, key: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    choices = f"{harness} knows {', '.join(sorted(known))}" if known else f"{harness} knows none"
    return f"did you mean {near[0]}? {choices}" if near else f"remove it; {choices}"
