"""The apiserver's verdict on a spec, without an apiserver.

Types and bounds come from pydantic, rules from the very CEL text that the CRDs carry. The operator
parses with this too: an object stored under an older CRD is a condition, never a crash.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any, Literal, TypeVar

import celpy
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from proctor_crds.base import Model
from proctor_crds.common import NAME_RULE


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with one field, and the remedy."""

    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


class SpecInvalidError(Exception):
    """The spec breaks its schema or rules; `problems` has one entry per fault."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


S = TypeVar("S", bound=Model)


def check_name(name: str) -> None:
    """Raises SpecInvalidError where an object may not be called `name`."""
    document = celpy.json_to_cel({"metadata": {"name": name}})
    if not program(NAME_RULE.expression).evaluate({"self": document}):
        raise SpecInvalidError([Problem("metadata.name", f"{name!r}: {NAME_RULE.message}")])


def parse(kind: type[S], spec: Any, extra: Literal["forbid", "ignore"] = "forbid") -> S:
    """`spec` as `kind`, unknown fields forbidden or ignored.

    Raises SpecInvalidError naming each field, value and remedy.
    """
    try:
        # Strict: the apiserver refuses "2" or true where it wants a number.
        parsed = kind.model_validate(spec, strict=True, by_alias=True, by_name=False, extra=extra)
    except ValidationError as error:
        raise SpecInvalidError([explained(kind, detail) for detail in error.errors()]) from error
    problems = list(broken_rules(parsed, "spec"))
    if problems:
        raise SpecInvalidError(problems)
    return parsed


def explained(kind: type[Model], error: ErrorDetails) -> Problem:
    """A pydantic error in the apiserver's terms, with near matches of what was probably meant."""
    *parents, last = error["loc"] or ("",)
    field = ".".join(map(str, ("spec", *error["loc"])))
    if error["type"] == "extra_forbidden":
        known = sorted(fields_below(kind, parents))
        return Problem(field, f"unknown field{did_you_mean(str(last), known)}")
    if error["type"] == "literal_error":
        expected = str(error.get("ctx", {}).get("expected", ""))
        known = [word.strip("' ") for word in expected.replace(" or ", ",").split(",")]
        meant = did_you_mean(str(error["input"]), known)
        return Problem(field, f"unsupported value {error['input']!r}{meant}; supported: {expected}")
    return Problem(field, f"{error['msg']}, got {error['input']!r:.80}")


def did_you_mean(word: str, known: list[str]) -> str:
    """`; did you mean X?` where something known is close."""
    near = get_close_matches(word, known, n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def fields_below(kind: type[Model], path: list[int | str]) -> set[str]:
    """Names of the fields that may stand below `path`."""
    at: type[Model] | None = kind
    for step in path:
        if at and isinstance(step, str):
            field = next((f for f in at.model_fields.values() if f.alias == step), None)
            inside = models_inside(field.annotation) if field else []
            at = inside[0] if inside else None
    return {str(f.alias) for f in at.model_fields.values()} if at else set()


def models_inside(annotation: Any) -> list[type[Model]]:
    """The models that an annotation such as `list[X]` or `X | None` mentions."""
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return [annotation]
    return [m for part in getattr(annotation, "__args__", ()) for m in models_inside(part)]


def broken_rules(node: Any, path: str) -> Iterator[Problem]:
    """CEL rules that do not hold, and items given twice, anywhere in the tree below `node`."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from broken_rules(item, f"{path}[{index}]")
    if not isinstance(node, Model):
        return
    document = celpy.json_to_cel(node.model_dump(by_alias=True, exclude_none=True))
    for rule in node.rules:
        if not program(rule.expression).evaluate({"self": document}):
            yield Problem(path, rule.message)
    for name, field in type(node).model_fields.items():
        value, below = getattr(node, name), f"{path}.{field.alias}"
        yield from repeated(identities(field, value or []), below)
        yield from broken_rules(value, below)


def identities(field: FieldInfo, items: Any) -> list[Any]:
    """What no two items may share; nothing where the field is neither a set nor a list-map."""
    match field.json_schema_extra:
        case {"x-kubernetes-list-type": "set"}:
            return list(items)
        case {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}:
            dumped = (item.model_dump(by_alias=True) for item in items)
            return [{key: item[key] for key in keys} for item in dumped]
    return []


def repeated(found: list[Any], path: str) -> Iterator[Problem]:
    """Each that is equal to one before it."""
    for index, each in enumerate(found):
        if each in found[:index]:
            yield Problem(f"{path}[{index}]", f"Duplicate value: {json.dumps(each)}; remove one")


@cache
def program(expression: str) -> celpy.Runner:
    """A compiled CEL expression."""
    environment = celpy.Environment()
    return environment.program(environment.compile(expression))
