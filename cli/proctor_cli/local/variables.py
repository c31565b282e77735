"""A container's environment, command and arguments, as the kubelet makes them from a manifest."""

import re
from collections.abc import Callable, Mapping

from proctor_cli.local.secret_data import contents
from proctor_operator.cluster import Manifest, Ref

Lookup = Callable[[Ref], Manifest | None]

_REFERENCE = re.compile(r"\$(?:\$|\(([-._a-zA-Z][-._a-zA-Z0-9]*)\))")


class ConfigError(Exception):
    """The container cannot be created as the cluster stands: a Secret is missing, say."""


def expand(text: str, variables: Mapping[str, str]) -> str:
    """`$(NAME)` replaced where NAME is known, `$$` by `$`; all else stays as it is."""

    def replacement(match: re.Match[str]) -> str:
        name = match.group(1)
        return "$" if name is None else variables.get(name, match.group(0))

    return _REFERENCE.sub(replacement, text)


def environment(
    container: Manifest, pod: Manifest, overrides: Mapping[str, str], lookup: Lookup
) -> dict[str, str]:
    """The container's variables; those in `overrides` that it declares get the local value.

    An override counts from its place in the list on, so that later entries refer to it.
    """
    found: dict[str, str] = {}
    for source in container.get("envFrom", []):
        found |= _all_of(source, pod, lookup)
    for entry in container.get("env", []):
        name = entry["name"]
        if name in overrides:
            found[name] = overrides[name]
        elif "valueFrom" in entry:
            found |= _one_of(name, entry["valueFrom"], pod, lookup)
        else:
            found[name] = expand(entry.get("value", ""), found)
    return found


def command_line(container: Manifest, variables: Mapping[str, str]) -> list[str]:
    """Command and arguments. Our images have no entry point of their own."""
    words = [*container.get("command", []), *container.get("args", [])]
    if not words:
        raise ConfigError("no command specified")
    return [expand(word, variables) for word in words]


def _all_of(source: Manifest, pod: Manifest, lookup: Lookup) -> dict[str, str]:
    kind, reference = (
        ("Secret", source["secretRef"])
        if "secretRef" in source
        else ("ConfigMap", source["configMapRef"])
    )
    values = read(kind, reference["name"], pod, lookup, optional=reference.get("optional", False))
    prefix = source.get("prefix", "")
    return {prefix + key: value.decode() for key, value in values.items()}


def _one_of(name: str, source: Manifest, pod: Manifest, lookup: Lookup) -> dict[str, str]:
    if "fieldRef" in source:
        return {name: _field(source["fieldRef"]["fieldPath"], pod)}
    kinds = {"secretKeyRef": "Secret", "configMapKeyRef": "ConfigMap"}
    for field, kind in kinds.items():
        if field in source:
            return _key(name, kind, source[field], pod, lookup)
    raise ConfigError(f"env {name}: the local cluster knows no source {', '.join(source)}")


def _key(
    name: str, kind: str, reference: Manifest, pod: Manifest, lookup: Lookup
) -> dict[str, str]:
    optional = reference.get("optional", False)
    values = read(kind, reference["name"], pod, lookup, optional=optional)
    key = reference["key"]
    if key in values:
        return {name: values[key].decode()}
    if optional:
        return {}
    where = f"{pod['metadata']['namespace']}/{reference['name']}"
    raise ConfigError(f"couldn't find key {key} in {kind} {where}")


def read(
    kind: str, name: str, pod: Manifest, lookup: Lookup, *, optional: bool
) -> dict[str, bytes]:
    """All keys of a Secret or ConfigMap in the pod's namespace; raises `ConfigError`."""
    found = lookup(Ref("v1", kind, pod["metadata"]["namespace"], name))
    if found is None and not optional:
        raise ConfigError(f'{kind.lower()} "{name}" not found')
    return contents(found) if found else {}


def _field(path: str, pod: Manifest) -> str:
    if match := re.fullmatch(r"metadata\.(labels|annotations)\['(.+)'\]", path):
        return str(pod["metadata"].get(match.group(1), {}).get(match.group(2), ""))
    fields = {
        "metadata.name": pod["metadata"]["name"],
        "metadata.namespace": pod["metadata"]["namespace"],
        "metadata.uid": pod["metadata"]["uid"],
        "spec.nodeName": "localhost",
        "spec.serviceAccountName": pod["spec"].get("serviceAccountName", "default"),
        "status.podIP": "127.0.0.1",
        "status.hostIP": "127.0.0.1",
    }
    if path not in fields:
        raise ConfigError(f"fieldRef {path} is unknown; known: {', '.join(fields)}")
    return str(fields[path])
