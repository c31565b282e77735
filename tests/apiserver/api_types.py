"""What the local cluster knows of the API's types, from what an apiserver publishes."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

GROUPS = ("api/v1", "apis/apps/v1", "apis/batch/v1")
KINDS = (
    "io.k8s.api.core.v1.Pod",
    "io.k8s.api.core.v1.Service",
    "io.k8s.api.core.v1.ConfigMap",
    "io.k8s.api.core.v1.Secret",
    "io.k8s.api.core.v1.PersistentVolumeClaim",
    "io.k8s.api.apps.v1.Deployment",
    "io.k8s.api.batch.v1.Job",
)
QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"

Schema = Mapping[str, Any]
"""A schema of OpenAPI v3."""


def api_types(schemas: Mapping[str, Schema]) -> dict[str, dict[str, Any]]:
    """Name: fields and their types, for `KINDS` and all that they are made of.

    Applying never writes a status, so `status` may be anything.
    """
    found: dict[str, dict[str, Any]] = {}
    wanted = list(KINDS)
    while wanted:
        full = wanted.pop()
        if short(full) not in found:
            fields = {**schemas[full]["properties"]}
            if full in KINDS and "status" in fields:
                fields["status"] = {}
            found[short(full)] = {name: kind(each, schemas) for name, each in fields.items()}
            wanted += [ref for each in fields.values() for ref in references(each, schemas)]
    return found


def kind(schema: Schema, schemas: Mapping[str, Schema]) -> Any:
    """`schema` in the words of types.json."""
    if (full := reference(schema)) is not None:
        if full == QUANTITY:
            return "quantity"
        target = schemas[full]
        return short(full) if "properties" in target else kind(target, schemas)
    if "oneOf" in schema:
        return "|".join(sorted(each["type"] for each in schema["oneOf"]))
    if schema.get("type") == "array":
        items = {"list": kind(schema["items"], schemas)}
        keys = keys_of(schema, schemas)
        return items | ({"keys": keys} if keys else {})
    if "additionalProperties" in schema:
        return {"map": kind(schema["additionalProperties"], schemas)}
    return "any" if schema.get("type", "object") == "object" else schema["type"]


def keys_of(schema: Schema, schemas: Mapping[str, Schema]) -> dict[str, Any]:
    """What tells a list's items apart, with the value where an item gives none."""
    full = reference(schema["items"])
    fields = schemas[full]["properties"] if full else {}
    names = schema.get("x-kubernetes-list-map-keys", [])
    return {name: fields[name].get("default") for name in names}


def references(schema: Schema, schemas: Mapping[str, Schema]) -> Iterator[str]:
    """Types with fields to which `schema` leads."""
    full = reference(schema)
    if full is not None and full != QUANTITY and "properties" in schemas[full]:
        yield full
    for part in ("items", "additionalProperties"):
        if isinstance(schema.get(part), Mapping):
            yield from references(schema[part], schemas)


def reference(schema: Schema) -> str | None:
    """The name that `schema` stands for; with a default beside it OpenAPI wraps it in allOf."""
    schema = schema.get("allOf", [schema])[0]
    return schema["$ref"].rpartition("/")[2] if "$ref" in schema else None


def short(full: str) -> str:
    """`io.k8s.api.core.v1.Pod` is Pod. Unique among those that we know."""
    return full.rpartition(".")[2]


def text(types: Mapping[str, Any]) -> str:
    """types.json: a type in each line, so that a difference can be read."""
    lines = [
        f"{json.dumps(name)}: {json.dumps(types[name], sort_keys=True)}" for name in sorted(types)
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"
