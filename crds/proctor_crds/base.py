"""What every API type shares: strict camelCase models, their CEL rules, and schema markers."""

from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class Rule(NamedTuple):
    """A CEL expression over `self` that must hold, and what to tell who broke it.

    The apiserver evaluates it at admission; `proctor_crds.validation` evaluates the same text where
    there is no apiserver.
    """

    expression: str
    message: str


class Model(BaseModel):
    """An immutable API type; unknown fields are errors, as they are at the apiserver."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
    )
    rules: ClassVar[tuple[Rule, ...]] = ()


def exactly_one(of: str, *fields: str) -> Rule:
    """One and only one of the optional `fields` is set; `of` names the choice to a person."""
    present = ", ".join(f"has(self.{field})" for field in fields)
    return Rule(
        f"[{present}].filter(x, x).size() == 1", f"{of}: set exactly one of {', '.join(fields)}"
    )


def not_yet(field: str, remedy: str) -> Rule:
    """`field` is in the API but this version does not act on it: refuse rather than ignore."""
    return Rule(f"!has(self.{field})", f"{field} is not available in this version: {remedy}")


def only(field: str, value: str, remedy: str) -> Rule:
    """`field` may hold nothing but the CEL literal `value` in this version."""
    return Rule(
        f"self.{field} == {value}",
        f"{field} other than {value} is not available in this version: {remedy}",
    )


def keyed_by(key: str) -> dict[str, Any]:
    """Schema of a list that is merged item by item: server-side apply owns items, not the list."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}


SET: dict[str, Any] = {"x-kubernetes-list-type": "set"}
ATOMIC: dict[str, Any] = {"x-kubernetes-list-type": "atomic"}
INT_OR_STRING: dict[str, Any] = {"x-kubernetes-int-or-string": True}
OPEN: dict[str, Any] = {"x-kubernetes-preserve-unknown-fields": True}

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
"""A DNS label."""

Text = Annotated[str, Field(max_length=1024)]
"""Prose, a path or a URL."""

Message = Annotated[str, Field(max_length=32768)]
"""A condition's message; the limit is metav1.Condition's."""

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"}, max_length=64)]
"""RFC 3339, UTC."""

Decimal = Annotated[str, Field(pattern=r"^-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?$", max_length=32)]
"""A number as a decimal string: the API has no floats."""
