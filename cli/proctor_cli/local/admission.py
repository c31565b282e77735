"""What the apiserver would refuse. Only rules that a manifest written for Proctor can break."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from proctor_cli.local.schema import misfits
from proctor_cli.local.secret_data import illegible
from proctor_crds.common import API_VERSION
from proctor_crds.kinds import KINDS
from proctor_crds.validation import SpecInvalidError, check_name, parse
from proctor_operator.cluster import Manifest, Rejected

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SERVICE_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_KEY = re.compile(
    rf"(?=[^/]{{1,253}}/|[^/]+$)({_SUBDOMAIN.pattern}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?"
)
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_PORT_NAME = re.compile(r"(?=.*[a-z])[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?")

_PROBES = {"startupProbe", "livenessProbe", "readinessProbe"}
_CHECKS = {"exec", "httpGet", "tcpSocket", "grpc"}

_IMMUTABLE = {
    "Job": (
        ("spec", "template"),
        ("spec", "completions"),
        ("spec", "completionMode"),
        ("spec", "podFailurePolicy"),
    ),
    "Deployment": (("spec", "selector"),),
    "PersistentVolumeClaim": (("spec", "accessModes"), ("spec", "storageClassName")),
    "Pod": (("spec",),),
}


def admit(new: Manifest, old: Manifest | None) -> None:
    """Raise `Rejected`, naming every field at fault, if `new` may not replace `old`."""
    if found := problems(new, old):
        meta = new.get("metadata", {})
        title = f'{new.get("kind", "object")} "{meta.get("name", "")}" is invalid'
        raise Rejected(f"{title}: {'; '.join(found)}")


def problems(new: Manifest, old: Manifest | None = None) -> list[str]:
    """Every field at fault, if `new`, which has no nulls, may not be made or replace `old`."""
    # Rules may rely on types.
    return list(misfits(new)) or [
        *_metadata(new),
        *_content(new),
        *(_changed(new, old) if old else ()),
    ]


def _metadata(new: Manifest) -> Iterator[str]:
    meta = new.get("metadata", {})
    yield from (
        f"{field}: Required value" for field in ("apiVersion", "kind") if not new.get(field)
    )
    name, namespace = meta.get("name", ""), meta.get("namespace", "")
    pattern = _SERVICE_NAME if new.get("kind") == "Service" else _SUBDOMAIN
    if not pattern.fullmatch(name) or len(name) > 253:
        yield f'metadata.name: Invalid value: "{name}": not a lowercase DNS name'
    if not _LABEL.fullmatch(namespace):
        yield f'metadata.namespace: Invalid value: "{namespace}": not a DNS label'
    yield from _labels("metadata.labels", meta.get("labels", {}))
    # Of annotations the case is free, also before the slash.
    yield from _keys("metadata.annotations", map(str.lower, meta.get("annotations", {})))


def _labels(path: str, labels: Mapping[str, str]) -> Iterator[str]:
    yield from _keys(path, labels)
    for key, value in labels.items():
        if not _LABEL_VALUE.fullmatch(value):
            yield f'{path}: Invalid value: "{value}" of {key}: not a label of 63 characters or less'


def _keys(path: str, keys: Iterable[str]) -> Iterator[str]:
    for key in keys:
        if not _KEY.fullmatch(key):
            yield f'{path}: Invalid value: "{key}": not a key such as example.com/name'


def _content(new: Manifest) -> Iterator[str]:
    if new.get("apiVersion") == API_VERSION:
        yield from _resource(new)
        return
    spec = new.get("spec", {})
    match new.get("kind"):
        case "Pod":
            yield from _pod("spec", spec)
        case "Deployment":
            yield from _template(spec)
            yield from _deployment(spec)
        case "Job":
            yield from _template(spec)
            yield from _job(spec)
        case "Service":
            yield from _service(spec)
        case "Secret" | "ConfigMap":
            yield from illegible(new)


def _resource(new: Manifest) -> Iterator[str]:
    kind = KINDS.get(new.get("kind", ""))
    if kind is None:
        yield f"kind: no {new.get('kind')} in {API_VERSION}; known: {', '.join(sorted(KINDS))}"
        return
    try:
        check_name(new["metadata"]["name"])
        parse(kind.spec, new.get("spec", {}))
    except SpecInvalidError as error:
        yield from map(str, error.problems)


def _template(spec: Manifest) -> Iterator[str]:
    template = spec.get("template", {})
    labels = template.get("metadata", {}).get("labels", {})
    yield from _labels("spec.template.metadata.labels", labels)
    yield from _pod("spec.template.spec", template.get("spec", {}))


def _deployment(spec: Manifest) -> Iterator[str]:
    wanted = spec.get("selector", {}).get("matchLabels", {})
    labels = spec.get("template", {}).get("metadata", {}).get("labels", {})
    if not wanted:
        yield "spec.selector: Required value"
    if not wanted.items() <= labels.items():
        yield "spec.template.metadata.labels: Invalid value: `selector` does not match them"
    if spec.get("template", {}).get("spec", {}).get("restartPolicy", "Always") != "Always":
        yield 'spec.template.spec.restartPolicy: Unsupported value: supported values: "Always"'


def _job(spec: Manifest) -> Iterator[str]:
    restart = spec.get("template", {}).get("spec", {}).get("restartPolicy")
    if restart not in ("Never", "OnFailure"):
        yield (
            f'spec.template.spec.restartPolicy: Required value: "{restart}": '
            'supported values: "OnFailure", "Never"'
        )
    if "podFailurePolicy" in spec and restart != "Never":
        yield "spec.template.spec.restartPolicy: must be Never when podFailurePolicy is given"
    if spec.get("completionMode", "NonIndexed") not in ("NonIndexed", "Indexed"):
        yield 'spec.completionMode: Unsupported value: supported values: "Indexed", "NonIndexed"'
    if spec.get("completionMode") == "Indexed" and "completions" not in spec:
        yield "spec.completions: Required value: when completion mode is Indexed"
    for field in ("backoffLimitPerIndex", "maxFailedIndexes", "successPolicy"):
        if field in spec:
            yield f"spec.{field}: Forbidden: the local cluster does not know it"


def _service(spec: Manifest) -> Iterator[str]:
    ports = spec.get("ports", [])
    if not ports:
        yield "spec.ports: Required value"
    names = [port.get("name") for port in ports]
    if len(ports) > 1 and (None in names or len(set(names)) < len(names)):
        yield "spec.ports: each of several ports needs a name of its own"


def _pod(path: str, spec: Manifest) -> Iterator[str]:
    containers = [*spec.get("initContainers", []), *spec.get("containers", [])]
    if not spec.get("containers"):
        yield f"{path}.containers: Required value"
    names = [container.get("name", "") for container in containers]
    if len(set(names)) < len(names):
        yield f"{path}.containers: Duplicate value: {', '.join(sorted(names))}"
    volumes = {volume.get("name") for volume in spec.get("volumes", [])}
    for container in containers:
        yield from _container(f"{path}.containers[{container.get('name')}]", container, volumes)


def _container(path: str, container: Manifest, volumes: set[str | None]) -> Iterator[str]:
    if not _LABEL.fullmatch(container.get("name", "")):
        yield f"{path}.name: Invalid value: not a DNS label"
    if not container.get("image"):
        yield f"{path}.image: Required value"
    yield from _ports(f"{path}.ports", container.get("ports", []))
    for mount in container.get("volumeMounts", []):
        if mount.get("name") not in volumes:
            yield f'{path}.volumeMounts: Not found: "{mount.get("name")}"'
    for probe in _PROBES & container.keys():
        if len(_CHECKS & container[probe].keys()) != 1:
            yield f"{path}.{probe}: Required value: must specify one handler type"


def _ports(path: str, ports: list[Manifest]) -> Iterator[str]:
    names = [port["name"] for port in ports if "name" in port]
    for name in names:
        if not _PORT_NAME.fullmatch(name):
            yield f'{path}: Invalid value: "{name}": not a name of 1 to 15 characters'
    if len(set(names)) < len(names):
        yield f"{path}.name: Duplicate value: {', '.join(sorted(names))}"
    for port in ports:
        if not 0 < port.get("containerPort", 0) < 65536:
            yield f"{path}.containerPort: Invalid value: {port.get('containerPort')}: 1 to 65535"


def _changed(new: Manifest, old: Manifest) -> Iterator[str]:
    fields = _IMMUTABLE.get(str(new.get("kind")), ())
    for path in fields:
        if _at(new, path) != _at(old, path):
            yield f"{'.'.join(path)}: Invalid value: field is immutable"
    if old.get("immutable") and any(new.get(k) != old.get(k) for k in ("data", "immutable")):
        yield "data: Forbidden: field is immutable when `immutable` is set"


def _at(manifest: Manifest, path: tuple[str, ...]) -> Any:
    value: Any = manifest
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value
