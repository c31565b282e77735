"""CustomResourceDefinitions from the pydantic models.

A structural schema (apiextensions.k8s.io/v1) is JSON Schema without references, unions and
null: `structural` rewrites what pydantic emits into that, and refuses what it cannot express.
"""

from collections.abc import Mapping
from typing import Any

from proctor_crds.base import INT_OR_STRING, Model
from proctor_crds.common import GROUP, NAME_RULE, VERSION
from proctor_crds.kinds import Column, Kind

Schema = dict[str, Any]
DROPPED = {"title", "$defs", "discriminator", "additionalProperties", "properties", "anyOf"}
RULES = "x-proctor-rules"


class NotStructuralError(Exception):
    """The model uses a union that a CRD cannot hold: write one optional member per variant."""


def crd(kind: Kind) -> Schema:
    """The CustomResourceDefinition of `kind`."""
    version: Schema = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": [column(c) for c in kind.columns],
        "schema": {"openAPIV3Schema": root(kind)},
        "subresources": {"status": {}} | ({"scale": kind.scale} if kind.scale else {}),
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": kind.crd_name},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind.name,
                "listKind": f"{kind.name}List",
                "plural": kind.plural,
                "singular": kind.name.lower(),
                "shortNames": [kind.short],
                "categories": ["proctor"],
            },
            "versions": [version],
        },
    }


def column(source: Column) -> Schema:
    """One additionalPrinterColumn."""
    result: Schema = {"name": source.name, "type": source.type, "jsonPath": source.path}
    return result | ({"priority": source.priority} if source.priority else {})


def root(kind: Kind) -> Schema:
    """The schema of a whole object."""
    return {
        "type": "object",
        "description": kind.description,
        "required": ["spec"],
        "x-kubernetes-validations": [
            {"rule": NAME_RULE.expression, "message": NAME_RULE.message},
        ],
        "properties": {
            "apiVersion": {"type": "string", "description": "API group and version."},
            "kind": {"type": "string", "description": "Kind of the object."},
            "metadata": {"type": "object"},
            "spec": schema_of(kind.spec),
            "status": undefaulted(schema_of(kind.status)),
        },
    }


def schema_of(model: type[Model]) -> Schema:
    """The structural schema of a model, rules included."""
    source = model.model_json_schema(by_alias=True)
    defs = {name: body | rules_of(model, name) for name, body in source.get("$defs", {}).items()}
    return structural(source | rules_of(model, model.__name__), defs)


def rules_of(root_model: type[Model], name: str) -> Schema:
    """The CEL rules of the model called `name` among those that `root_model` uses."""
    model = models_of(root_model)[name]
    rules = [{"rule": rule.expression, "message": rule.message} for rule in model.rules]
    return {RULES: rules} if rules else {}


def models_of(model: type[Model]) -> Mapping[str, type[Model]]:
    """Every model reachable from `model`, by name."""
    found: dict[str, type[Model]] = {}
    pending: list[Any] = [model]
    while pending:
        annotation = pending.pop()
        pending.extend(getattr(annotation, "__args__", ()))
        is_model = isinstance(annotation, type) and issubclass(annotation, Model)
        if is_model and annotation.__name__ not in found:
            found[annotation.__name__] = annotation
            pending.extend(field.annotation for field in annotation.model_fields.values())
    return found


def structural(node: Schema, defs: Mapping[str, Schema]) -> Schema:
    """`node` without references, unions, nulls and what CRDs do not know."""
    node = resolved(node, defs)
    result = {key: value for key, value in node.items() if key not in DROPPED and key != RULES}
    if INT_OR_STRING.items() <= result.items():
        # The one union that CRDs have: its bounds hold for numbers, its pattern for strings.
        del result["type"]
        result["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    if "const" in result:
        result["enum"] = [result.pop("const")]
    if "default" in result:
        result |= default_of(result.pop("default"))
    if "properties" in node:
        result["properties"] = {k: structural(v, defs) for k, v in node["properties"].items()}
    if isinstance(node.get("additionalProperties"), dict):
        result["additionalProperties"] = structural(node["additionalProperties"], defs)
    if "items" in node:
        result["items"] = structural(node["items"], defs)
    if RULES in node:
        result["x-kubernetes-validations"] = node[RULES]
    return result


def default_of(value: Any) -> Schema:
    """`value` as a default; null means absent, and a CRD that says null is refused."""
    if isinstance(value, dict):
        value = {key: inner for key, inner in value.items() if inner is not None}
    return {} if value is None else {"default": value}


def undefaulted(node: Schema) -> Schema:
    """A status without defaults: the apiserver would add them to what the operator wrote."""
    result = {key: value for key, value in node.items() if key != "default"}
    if "properties" in node:
        result["properties"] = {k: undefaulted(v) for k, v in node["properties"].items()}
    for key in {"items", "additionalProperties"} & node.keys():
        result[key] = undefaulted(node[key])
    return result


def resolved(node: Schema, defs: Mapping[str, Schema]) -> Schema:
    """`node` with its reference or its `X | None` replaced by the schema meant."""
    own = {key: value for key, value in node.items() if key not in ("$ref", "anyOf")}
    if "$ref" in node:
        return resolved(defs[node["$ref"].rsplit("/", 1)[1]], defs) | own
    if "anyOf" in node:
        variants = [variant for variant in node["anyOf"] if variant != {"type": "null"}]
        if len(variants) != 1:
            raise NotStructuralError(f"{len(variants)} variants in {node}")
        return resolved(variants[0], defs) | own
    return node
