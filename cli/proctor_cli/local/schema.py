"""Whether an object fits the types of Kubernetes' API. Pure.

types.json is what an apiserver publishes of the kinds that a local cluster runs, less all but names
and types. Of other kinds only what every object has is known; the spec of Proctor's own is for
`proctor_crds.validation` to judge.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from proctor_crds.common import API_VERSION
from proctor_crds.validation import did_you_mean
from proctor_operator.cluster import Manifest

FILE = Path(__file__).with_name("types.json")
TYPES: Mapping[str, Mapping[str, Any]] = json.loads(FILE.read_text())

_OBJECT = {"apiVersion": "string", "kind": "string", "metadata": "ObjectMeta"}
_QUANTITY = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?\d+)?")
# A fraction of a second will do for a period here: tests would wait for whole ones.
_SCALARS: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "boolean": bool,
    "integer": (int, float),
    "number": (int, float),
}


def misfits(manifest: Manifest) -> Iterator[str]:
    """Every field that is unknown, of another type, or given twice, in the apiserver's words."""
    yield from _of_object(manifest, _fields(manifest), "")


def _fields(manifest: Manifest) -> Mapping[str, Any]:
    """The fields that an object may have at its top, with their types."""
    kind = manifest.get("kind")
    # Types of fields are there too, and other groups have kinds of the same names.
    if isinstance(kind, str) and "apiVersion" in TYPES.get(kind, {}):
        return TYPES[kind]
    if manifest.get("apiVersion") == API_VERSION:
        return _OBJECT | {"spec": "any", "status": "any"}
    return dict.fromkeys(manifest, "any") | _OBJECT


def _misfits(value: Any, kind: Any, path: str) -> Iterator[str]:
    match kind:
        case "any":
            return
        case {"list": item} if isinstance(value, list):
            for index, each in enumerate(value):
                yield from _misfits(each, item, f"{path}[{index}]")
            yield from _duplicates(value, kind.get("keys", {}), path)
        case {"map": item} if isinstance(value, dict):
            for name, each in value.items():
                yield from _misfits(each, item, f"{path}.{name}")
        case str() if kind in TYPES and isinstance(value, dict):
            yield from _of_object(value, TYPES[kind], path)
        case str() if any(_is_scalar(value, each) for each in kind.split("|")):
            return
        case _:
            yield f"{path}: expected {_word(kind)}, got {json.dumps(value)}"


def _of_object(value: Manifest, fields: Mapping[str, Any], path: str) -> Iterator[str]:
    for name, each in value.items():
        if name in fields:
            yield from _misfits(each, fields[name], f"{path}.{name}")
        else:
            meant = did_you_mean(name, list(fields))
            yield f"{path}.{name}: field not declared in schema{meant}"


def _word(kind: Any) -> str:
    """What was expected, for a person."""
    if isinstance(kind, str):
        return "map" if kind in TYPES else kind.replace("|", " or ")
    return "list" if "list" in kind else "map"


def _duplicates(items: list[Any], keys: Mapping[str, Any], path: str) -> Iterator[str]:
    """Server-side apply tells items apart by these keys; two that have the same cannot be."""
    if not keys or not all(isinstance(each, dict) for each in items):
        return
    given = Counter(
        ", ".join(f"{key}={json.dumps(each.get(key, default))}" for key, default in keys.items())
        for each in items
    )
    for identity, times in given.items():
        if times > 1:
            yield f"{path}: duplicate entries for key [{identity}]"


def _is_scalar(value: Any, kind: str) -> bool:
    if kind == "quantity":
        return not isinstance(value, bool) and bool(_QUANTITY.fullmatch(str(value)))
    known = _SCALARS.get(kind, ())
    return isinstance(value, known) and (kind == "boolean") == isinstance(value, bool)
