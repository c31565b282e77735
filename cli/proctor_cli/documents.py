"""YAML files as the apiserver would take them: split, defaulted in namespace, and validated."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from proctor_cli import tasks
from proctor_cli.local import admission, schema
from proctor_cli.local.apply import without_nulls
from proctor_crds.common import API_VERSION
from proctor_crds.evaluation_run import EvaluationRunSpec
from proctor_crds.kinds import EVALUATION_RUN, KINDS
from proctor_crds.validation import Problem, did_you_mean, parse
from proctor_operator.cluster import Manifest

NAMESPACE = "default"
REFERRED = {("v1", "Secret"), ("v1", "ConfigMap"), ("v1", "PersistentVolumeClaim")}
"""What Proctor's resources refer to; of other kinds a real cluster may take more than ours."""


class DocumentsInvalidError(Exception):
    """Some document cannot be applied; one line each."""


@dataclass(frozen=True, slots=True)
class Documents:
    """Proctor's own resources, and the objects that they refer to."""

    resources: list[Manifest] = field(default_factory=list)
    others: list[Manifest] = field(default_factory=list)

    def of_kind(self, kind: str) -> list[Manifest]:
        """The resources of one kind."""
        return [manifest for manifest in self.resources if manifest["kind"] == kind]


class Loader(yaml.SafeLoader):
    """As kubectl reads YAML: a date is text."""

    yaml_implicit_resolvers = {  # noqa: RUF012  a class attribute is where PyYAML looks
        letter: [each for each in found if each[0] != "tag:yaml.org,2002:timestamp"]
        for letter, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def load(paths: Iterable[Path]) -> Documents:
    """Every document of the files. Raises DocumentsInvalidError naming file, field and remedy."""
    found, problems = Documents(), []
    for path in paths:
        try:
            for manifest in read(path):
                problems += [f"{path}: {problem}" for problem in faults(manifest)]
                (found.resources if is_own(manifest) else found.others).append(manifest)
        # PyYAML raises the last two of a timestamp that is none, and of a hundred brackets.
        except (OSError, ValueError, yaml.YAMLError, AttributeError, RecursionError) as error:
            problems.append(f"{path}: {error}")
    if problems:
        raise DocumentsInvalidError("\n".join(problems))
    return found


def read(path: Path) -> Iterator[Manifest]:
    """The documents of one file, each with a name and a namespace."""
    for document in yaml.load_all(path.read_text(), Loader):
        for found in listed(document):
            yield identified(without_nulls(as_json(found)))


def listed(document: Any) -> Sequence[Any]:
    """The objects of a list, as `kubectl get -o yaml` writes it; of any other document, itself."""
    if document is None:
        return ()
    is_list = isinstance(document, dict) and str(document.get("kind")).endswith("List")
    items = document.get("items") if is_list else None
    return items if isinstance(items, list) else (document,)


def as_json(document: Any) -> Any:
    """What kubectl makes of YAML: keys are text. Raises ValueError where JSON has no such value."""
    try:
        return json.loads(json.dumps(document))
    except TypeError as error:
        raise ValueError(str(error)) from error


def identified(document: Any) -> Manifest:
    """The document with a namespace. Raises ValueError where nobody can tell which object it is."""
    identity = ("apiVersion", "kind", "metadata")
    if not isinstance(document, dict) or not document.keys() >= set(identity):
        raise ValueError("not a Kubernetes object: apiVersion, kind and metadata are required")
    if wrong := list(schema.misfits({key: document[key] for key in identity})):
        raise ValueError("; ".join(wrong))
    if not document["metadata"].get("name"):
        raise ValueError(f"{document['kind']}: metadata.name is required")
    return {**document, "metadata": {"namespace": NAMESPACE, **document["metadata"]}}


def is_own(manifest: Manifest) -> bool:
    """Whether it is of Proctor's API group, in whatever version."""
    return bool(manifest["apiVersion"].startswith("proctor.dev/"))


def faults(manifest: Manifest) -> list[str]:
    """Why the apiserver or the harness would refuse the object, where that is ours to judge."""
    kind, version = manifest["kind"], manifest["apiVersion"]
    if kind in KINDS and version != API_VERSION:
        return [f"apiVersion {version}: this version knows {API_VERSION}"]
    if not is_own(manifest):
        return admission.problems(manifest) if (version, kind) in REFERRED else []
    if kind not in KINDS:
        known = sorted(KINDS)
        return [f"kind {kind}{did_you_mean(kind, known)}; known: {', '.join(known)}"]
    return admission.problems(manifest) or list(map(str, unknown_tasks(manifest)))


def unknown_tasks(manifest: Manifest) -> Iterator[Problem]:
    """Tasks of a valid EvaluationRun that their harness does not have."""
    if manifest["kind"] == EVALUATION_RUN.name:
        yield from tasks.problems(parse(EvaluationRunSpec, manifest["spec"]))
